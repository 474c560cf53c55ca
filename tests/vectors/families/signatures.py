"""Family ``signatures``: Wycheproof, and the edge cases of Ed25519.

Wycheproof's Ed25519 is judged strictly, by RFC 8032; the edge cases by ZIP-215, as CometBFT chains
do: of the published twelve, 0 to 5 and 9 to 11 verify.

Source: C2SP/wycheproof testvectors_v1; novifinancial/ed25519-speccheck.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hub.core.codec.der import DerError, decode_signature, encode_signature
from hub.core.crypto import ed25519, p256, secp256k1
from hub.core.crypto.ed25519 import SlowChecks
from tests.vectors.cases import INVALID, VALID, NotBuilt, Question, under_judgment
from tests.vectors.json_fields import from_hex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_PUBLISHED: Final = 12
_REFUSED: Final = {6, 7, 8}
_SECP256K1_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_SCALAR: Final = 32


def questions(content: Any, path: Path) -> Iterator[Question]:
    """The cases of one file. Raises ``NotBuilt``."""
    del path
    if isinstance(content, list):
        return _edge_cases(content)
    if "testGroups" not in content:
        raise ValueError("neither Wycheproof nor edge cases of Ed25519")
    return _wycheproof(content)


def _edge_cases(content: list[dict[str, Any]]) -> Iterator[Question]:
    for index, case in enumerate(content):
        stated = None
        if len(content) == _PUBLISHED:
            stated = INVALID if index in _REFUSED else VALID
        yield Question(
            case=str(index),
            expected=case.get("expected", stated),
            ask=lambda case=case: _edge_case(case),  # type: ignore[misc]
            refusal=INVALID,
        )


def _edge_case(case: dict[str, Any]) -> str:
    with under_judgment():
        key, message = from_hex(case["pub_key"]), from_hex(case["message"])
        signature = from_hex(case["signature"])
    verified = ed25519.verify_zip215(key, message, signature, SlowChecks(1))
    return VALID if verified else INVALID


def _wycheproof(content: dict[str, Any]) -> Iterator[Question]:
    for group in content["testGroups"]:
        judge = _judge_of(content, group)
        key = _key_of(group)
        for test in group["tests"]:
            yield Question(
                case=str(test["tcId"]),
                expected=test["result"],
                ask=lambda test=test, judge=judge, key=key: _test(test, judge, key),  # type: ignore[misc]
                refusal=INVALID,
            )


def _test(test: dict[str, Any], judge: Callable[[bytes, bytes, bytes], bool], key: object) -> str:
    with under_judgment():
        public_key, message = from_hex(key), from_hex(test["msg"])
        signature = from_hex(test["sig"])
    return VALID if judge(public_key, message, signature) else INVALID


def _key_of(group: dict[str, Any]) -> object:
    key = group["publicKey"]
    return key["pk"] if "pk" in key else key["uncompressed"]


def _judge_of(
    content: dict[str, Any], group: dict[str, Any]
) -> Callable[[bytes, bytes, bytes], bool]:
    key = group["publicKey"]
    kind = (group["type"], key.get("curve"), group.get("sha", "SHA-256"))
    judge = _JUDGES.get(kind)
    if judge is None:
        raise NotBuilt(" ".join([str(part) for part in (content.get("algorithm"), *kind) if part]))
    return judge


def _any_s(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """ECDSA over secp256k1 without the low-s rule: a high s is first made its low twin."""
    try:
        r, s = decode_signature(signature)
    except DerError:
        return False
    return _twin(public_key, message, r, s)


def _any_s_plain(public_key: bytes, message: bytes, signature: bytes) -> bool:
    if len(signature) != 2 * _SCALAR:
        return False
    return _twin(public_key, message, *_halves(signature))


def _twin(public_key: bytes, message: bytes, r: int, s: int) -> bool:
    if not 0 < s < _SECP256K1_ORDER:
        return False
    low = min(s, _SECP256K1_ORDER - s)
    return secp256k1.verify_der(public_key, message, encode_signature(r, low))


def _p256_plain(public_key: bytes, message: bytes, signature: bytes) -> bool:
    if len(signature) != 2 * _SCALAR:
        return False
    return p256.verify(public_key, message, encode_signature(*_halves(signature)))


def _halves(signature: bytes) -> tuple[int, int]:
    return int.from_bytes(signature[:_SCALAR], "big"), int.from_bytes(signature[_SCALAR:], "big")


_JUDGES: Final[dict[tuple[str, object, str], Callable[[bytes, bytes, bytes], bool]]] = {
    ("EddsaVerify", "edwards25519", "SHA-256"): ed25519.verify,
    ("EcdsaBitcoinVerify", "secp256k1", "SHA-256"): secp256k1.verify_der,
    ("EcdsaVerify", "secp256k1", "SHA-256"): _any_s,
    ("EcdsaP1363Verify", "secp256k1", "SHA-256"): _any_s_plain,
    ("EcdsaVerify", "secp256r1", "SHA-256"): p256.verify,
    ("EcdsaP1363Verify", "secp256r1", "SHA-256"): _p256_plain,
}
