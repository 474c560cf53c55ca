"""Keys that sign an adapter's transactions: an operator's file, read once, never shown.

The file holds one private key a line, 32 bytes in hex; lines that begin with ``#`` are comments.
Nobody but its owner may read it. No error, log or representation carries a key.

Source: cosmos-sdk v0.53 crypto/keys/secp256k1 (compressed keys, r and s of 32 bytes each, low s),
types/address.go (bech32 of RIPEMD-160 of SHA-256); BIP-173.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bech32 import bech32_encode, convertbits
from coincurve import PrivateKey

from hub.core.crypto.digests import hash160
from hub.core.errors import FieldInvalid

SIGNATURE_BYTES: Final = 64
MAX_KEYS: Final = 1024

_MAX_FILE_BYTES = 1 << 20
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_KEY = re.compile(r"[0-9a-fA-F]{64}")
_PREFIX = re.compile(r"[a-z][a-z0-9]{0,29}")


@dataclass(frozen=True, slots=True)
class Key:
    """A private key, and what the chain knows of it."""

    address: str
    """Bech32, of 20 bytes."""
    public_key: bytes
    """33 bytes."""
    secret: PrivateKey = field(repr=False, compare=False)

    def sign(self, digest: bytes) -> bytes:
        """The signature (r, s: 64 bytes) of the 32 bytes *digest*; the same each time, s is low."""
        signature: bytes = self.secret.sign_recoverable(digest, hasher=None)
        return signature[:SIGNATURE_BYTES]


def read_keys(path: Path, prefix: str) -> tuple[Key, ...]:
    """The keys of the file *path*, in its order, with addresses that begin with *prefix*.

    Raises ``FieldInvalid``, which names the file and the line.
    """
    _check_prefix(prefix)
    keys: list[Key] = []
    addresses: dict[str, int] = {}
    for number, line in enumerate(_read_private(path).splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        key = _parse(text, prefix)
        if key is None:
            raise _invalid(path, f"line {number} is no private key of 64 hex digits")
        if key.address in addresses:
            raise _invalid(path, f"line {number} repeats line {addresses[key.address]}")
        addresses[key.address] = number
        keys.append(key)
    if not 0 < len(keys) <= MAX_KEYS:
        raise _invalid(path, f"has {len(keys)} keys, it may have 1 to {MAX_KEYS}")
    return tuple(keys)


def write_new_keys(path: Path, count: int, prefix: str) -> tuple[Key, ...]:
    """*count* new keys, which the new file *path* holds and only its owner can read.

    Raises ``FieldInvalid``; a file that stands is never overwritten.
    """
    _check_prefix(prefix)
    if not 0 < count <= MAX_KEYS:
        raise FieldInvalid(field="count", problem=f"is {count}, it may be 1 to {MAX_KEYS}")
    secrets = [PrivateKey() for _ in range(count)]
    lines = "".join([f"{secret.secret.hex()}\n" for secret in secrets])
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="ascii") as file:  # noqa: PTH123 - as it was opened
            file.write(lines)
            file.flush()
            os.fsync(descriptor)
    except FileExistsError:
        raise _invalid(path, "exists; keys are never overwritten") from None
    except OSError as error:
        raise _invalid(path, f"cannot be written: {error.strerror}") from error
    return tuple([_key(secret, prefix) for secret in secrets])


def encode_address(prefix: str, account: bytes) -> str:
    """The bech32 address of the 20 bytes *account*."""
    return bech32_encode(prefix, convertbits(account, 8, 5) or ())


def _read_private(path: Path) -> str:
    """The text of *path*, judged by the file that is read and not by its name."""
    try:
        with Path(path).open("rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise _invalid(path, "is no file")
            if found.st_mode & _OTHERS:
                raise _invalid(path, "can be read by others than its owner: chmod 600")
            content = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _invalid(path, f"cannot be read: {error.strerror}") from error
    if len(content) > _MAX_FILE_BYTES:
        raise _invalid(path, f"is over {_MAX_FILE_BYTES} bytes")
    return content.decode("ascii", "replace")


def _parse(text: str, prefix: str) -> Key | None:
    """The key of *text*; no exception leaves here, for it might show the text."""
    if _KEY.fullmatch(text) is None:
        return None
    try:
        secret = PrivateKey(bytes.fromhex(text))
    except ValueError:
        return None
    return _key(secret, prefix)


def _key(secret: PrivateKey, prefix: str) -> Key:
    public_key: bytes = secret.public_key.format(compressed=True)
    return Key(encode_address(prefix, hash160(public_key)), public_key, secret)


def _check_prefix(prefix: str) -> None:
    if _PREFIX.fullmatch(prefix) is None:
        raise FieldInvalid(field="prefix", problem=f"{prefix!r} begins no address: a-z, 0-9")


def _invalid(path: Path, problem: str) -> FieldInvalid:
    return FieldInvalid(field=str(path), problem=problem)
