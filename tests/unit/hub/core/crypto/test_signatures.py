from __future__ import annotations

from hub.core.crypto import ed25519, p256, secp256k1
from hub.core.crypto.signatures import SCHEMES, SignatureScheme


def test_every_scheme_is_found_by_its_name() -> None:
    assert dict(SCHEMES) == {"ed25519": ed25519, "p256": p256, "secp256k1": secp256k1}


def test_every_scheme_refuses_nothing_at_all_and_nonsense() -> None:
    for scheme in SCHEMES.values():
        _refuses_nonsense(scheme)


def _refuses_nonsense(scheme: SignatureScheme) -> None:
    assert not scheme.verify(b"", b"", b"")
    for size in (32, 33, 64, 65, 72):
        for filler in (b"\x00", b"\x02", b"\x30", b"\xff"):
            assert not scheme.verify(filler * size, b"message", filler * 64)
            assert not scheme.verify(filler * 32, b"message", filler * size)
