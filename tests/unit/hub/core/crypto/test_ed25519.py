from __future__ import annotations

import pytest
from nacl.signing import SigningKey

from hub.core.crypto import ed25519, zip215
from hub.core.crypto.ed25519 import SlowChecks, verify, verify_zip215
from hub.core.errors import LimitExceeded
from tests.harness import edwards

MESSAGE = b"one header"
KEY = SigningKey(bytes(range(32)))
PUBLIC_KEY = bytes(KEY.verify_key)
SIGNATURE = KEY.sign(MESSAGE).signature

LOOSE_KEY, LOOSE_SIGNATURE = edwards.sign(MESSAGE, 77, 99, key_torsion=1, nonce_torsion=3)
"""What ZIP-215 accepts and libsodium does not: points with parts of small order."""


def test_an_ordinary_signature_verifies_by_both_rules() -> None:
    assert verify(PUBLIC_KEY, MESSAGE, SIGNATURE)
    assert verify_zip215(PUBLIC_KEY, MESSAGE, SIGNATURE, SlowChecks(0))


def test_an_ordinary_signature_costs_no_slow_check() -> None:
    slow = SlowChecks(1)
    assert verify_zip215(PUBLIC_KEY, MESSAGE, SIGNATURE, slow)
    assert slow.spent == 0


def test_parts_of_small_order_verify_by_zip215_alone() -> None:
    slow = SlowChecks(1)
    assert not verify(LOOSE_KEY, MESSAGE, LOOSE_SIGNATURE)
    assert verify_zip215(LOOSE_KEY, MESSAGE, LOOSE_SIGNATURE, slow)
    assert slow.spent == 1


def test_a_key_of_small_order_verifies_by_zip215_alone() -> None:
    identity = edwards.encode(edwards.IDENTITY)
    assert not verify(identity, MESSAGE, identity + bytes(32))
    assert verify_zip215(identity, MESSAGE, identity + bytes(32), SlowChecks(1))


def test_a_wrong_signature_costs_one_slow_check() -> None:
    slow = SlowChecks(2)
    assert not verify_zip215(PUBLIC_KEY, MESSAGE + b".", SIGNATURE, slow)
    assert slow.spent == 1


def test_a_slow_check_beyond_the_limit_is_refused() -> None:
    slow = SlowChecks(2)
    for _ in range(2):
        assert not verify_zip215(PUBLIC_KEY, b"", SIGNATURE, slow)
    with pytest.raises(LimitExceeded) as caught:
        verify_zip215(LOOSE_KEY, MESSAGE, LOOSE_SIGNATURE, slow)
    assert (caught.value.count, caught.value.limit) == (3, 2)
    assert slow.spent == 2
    assert verify_zip215(PUBLIC_KEY, MESSAGE, SIGNATURE, slow), "fast ones go on"


@pytest.mark.parametrize(
    ("public_key", "signature"),
    [
        pytest.param(PUBLIC_KEY[:-1], SIGNATURE, id="short-key"),
        pytest.param(PUBLIC_KEY + b"\x00", SIGNATURE, id="long-key"),
        pytest.param(b"", SIGNATURE, id="no-key"),
        pytest.param(PUBLIC_KEY, SIGNATURE[:-1], id="short-signature"),
        pytest.param(PUBLIC_KEY, SIGNATURE + b"\x00", id="long-signature"),
        pytest.param(PUBLIC_KEY, b"", id="no-signature"),
        pytest.param(
            PUBLIC_KEY,
            SIGNATURE[:32]
            + (int.from_bytes(SIGNATURE[32:], "little") + zip215.ORDER).to_bytes(32, "little"),
            id="s-of-the-order-or-more",
        ),
    ],
)
def test_malformed_signatures_are_refused_for_nothing(public_key: bytes, signature: bytes) -> None:
    assert not verify(public_key, MESSAGE, signature)
    assert not verify_zip215(public_key, MESSAGE, signature, SlowChecks(0))


def test_bytes_do_not_move_between_signature_and_message() -> None:
    """The library takes both as one string; the border must be ours."""
    whole = SIGNATURE + MESSAGE
    assert not verify(PUBLIC_KEY, whole[63:], whole[:63])
    assert not verify(PUBLIC_KEY, whole[65:], whole[:65])


def test_the_empty_message_is_a_message() -> None:
    signature = KEY.sign(b"").signature
    assert ed25519.verify(PUBLIC_KEY, b"", signature)
    assert not ed25519.verify(PUBLIC_KEY, b"\x00", signature)
