"""Hash functions by name, each from the fastest place that has it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from hub.core.crypto import ripemd

if TYPE_CHECKING:
    from collections.abc import Callable


def sha256(data: bytes) -> bytes:
    """SHA-256 of *data*, 32 bytes. Source: FIPS 180-4."""
    return hashlib.sha256(data).digest()


def _native_ripemd160(data: bytes) -> bytes:
    return hashlib.new("ripemd160", data, usedforsecurity=False).digest()


def _choose_ripemd160() -> Callable[[bytes], bytes]:
    """OpenSSL's, unless this build keeps it in a provider that is not loaded."""
    try:
        _native_ripemd160(b"")
    except ValueError:
        return ripemd.ripemd160
    return _native_ripemd160


_ripemd160 = _choose_ripemd160()


def ripemd160(data: bytes) -> bytes:
    """RIPEMD-160 of *data*, 20 bytes. Source: Dobbertin, Bosselaers, Preneel 1996."""
    return _ripemd160(data)


def hash160(data: bytes) -> bytes:
    """RIPEMD-160 of SHA-256 of *data*, 20 bytes: an address of a secp256k1 key.

    Source: CometBFT crypto/secp256k1, Address.
    """
    return _ripemd160(hashlib.sha256(data).digest())
