"""The hash operations that a proof is made of.

Source: cosmos/ics23 go/ops.go, LeafOp.Apply and InnerOp.Apply.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from hub.core.codec.proto import encode_varint
from hub.core.crypto.digests import ripemd160
from hub.core.errors import ProofSpecViolated
from hub.light_clients.proofs.spec import HashOp, InnerOp, LeafOp, LengthOp

if TYPE_CHECKING:
    from collections.abc import Callable

_NAMES: Final[dict[int, str]] = {
    HashOp.SHA256: "sha256",
    HashOp.SHA512: "sha512",
    HashOp.SHA512_256: "sha512_256",
    HashOp.BLAKE2B_512: "blake2b",
    HashOp.BLAKE2S_256: "blake2s",
}

_LENGTHS: Final[dict[int, Callable[[int], bytes]]] = {
    LengthOp.NO_PREFIX: lambda _: b"",
    LengthOp.VAR_PROTO: encode_varint,
    LengthOp.FIXED32_BIG: lambda size: size.to_bytes(4, "big"),
    LengthOp.FIXED32_LITTLE: lambda size: size.to_bytes(4, "little"),
    LengthOp.FIXED64_BIG: lambda size: size.to_bytes(8, "big"),
    LengthOp.FIXED64_LITTLE: lambda size: size.to_bytes(8, "little"),
}

_REQUIRED: Final[dict[int, int]] = {
    LengthOp.REQUIRE_32_BYTES: 32,
    LengthOp.REQUIRE_64_BYTES: 64,
}


def digest(op: int, data: bytes) -> bytes:
    """The hash of *data* by operation *op*; ``NO_HASH`` and unknown ones are refused.

    Raises ``ProofSpecViolated``.
    """
    if op == HashOp.SHA256:
        return hashlib.sha256(data).digest()
    if op == HashOp.RIPEMD160:
        return ripemd160(data)
    if op == HashOp.BITCOIN:
        return ripemd160(hashlib.sha256(data).digest())
    name = _NAMES.get(op)
    if name is None or name not in hashlib.algorithms_available:
        raise ProofSpecViolated(at=0, rule=f"hash operation {op} is not supported")
    return hashlib.new(name, data).digest()


def leaf_hash(op: LeafOp, key: bytes, value: bytes) -> bytes:
    """The hash of a leaf with *key* and *value*, neither empty. Raises ``ProofSpecViolated``."""
    if not key:
        raise ProofSpecViolated(at=0, rule="key is empty")
    if not value:
        raise ProofSpecViolated(at=0, rule="value is empty")
    return digest(
        op.hash,
        op.prefix
        + _measured(op.length, _prehashed(op.prehash_key, key))
        + _measured(op.length, _prehashed(op.prehash_value, value)),
    )


def inner_hash(op: InnerOp, child: bytes) -> bytes:
    """The hash of an inner node over the hash of its *child*. Raises ``ProofSpecViolated``."""
    if not child:
        raise ProofSpecViolated(at=0, rule="child is empty")
    return digest(op.hash, op.prefix + child + op.suffix)


def _prehashed(op: int, data: bytes) -> bytes:
    return data if op == HashOp.NO_HASH else digest(op, data)


def _measured(op: int, data: bytes) -> bytes:
    prefix = _LENGTHS.get(op)
    if prefix is not None:
        return prefix(len(data)) + data
    required = _REQUIRED.get(op)
    if required is None:
        raise ProofSpecViolated(at=0, rule=f"length operation {op} is not supported")
    if len(data) != required:
        raise ProofSpecViolated(at=0, rule=f"data has {len(data)} bytes, not {required}")
    return data
