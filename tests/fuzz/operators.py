"""Ways to change a valid object, each with a name; the byte-wise ones serve every target.

A structural way changes the decoded object and encodes it again, so that what it makes is read to
the end; a byte-wise way changes the encoding as an accident or a vandal would.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Operator(Generic[T]):
    """One way to make a candidate from valid objects."""

    name: str
    make: Callable[[Random], T | None]
    """None where the way does not apply to what chance has picked."""
    structural: bool = True


def bytewise(
    pick: Callable[[Random], tuple[bytes, Callable[[bytes], T]]],
) -> list[Operator[T]]:
    """Every byte-wise way; *pick* gives an encoding, and what makes a candidate of another."""

    def operator(name: str, change: Callable[[bytes, Random], bytes]) -> Operator[T]:
        def make(rng: Random) -> T | None:
            data, rebuild = pick(rng)
            return rebuild(change(data, rng)) if data else None

        return Operator(f"bytes: {name}", make, structural=False)

    return [operator(name, change) for name, change in _CHANGES.items()]


def _flip_bit(data: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes((data[at] ^ 1 << rng.randrange(8),)) + data[at + 1 :]


def _set_byte(data: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(data))
    edges = (0, 1, 0x7F, 0x80, 0xFF, (data[at] + 1) & 0xFF, (data[at] - 1) & 0xFF)
    return data[:at] + bytes((rng.choice(edges),)) + data[at + 1 :]


def _insert(data: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.randbytes(rng.randint(1, 4)) + data[at:]


def _delete(data: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.randint(1, 8) :]


def _repeat(data: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(data))
    end = at + rng.randint(1, 64)
    return data[:end] + data[at:end] + data[end:]


def _move(data: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(data))
    part = data[at : at + rng.randint(1, 40)]
    rest = data[:at] + data[at + len(part) :]
    to = rng.randrange(len(rest) + 1)
    return rest[:to] + part + rest[to:]


def _cut(data: bytes, rng: Random) -> bytes:
    return data[: rng.randrange(len(data))]


def _extend(data: bytes, rng: Random) -> bytes:
    return data + rng.choice((b"\x00", b"\xff", rng.randbytes(rng.randint(1, 40)), data[:64]))


def _zeros(data: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(data))
    size = min(rng.randint(1, 40), len(data) - at)
    return data[:at] + bytes(size) + data[at + size :]


def _noise(data: bytes, rng: Random) -> bytes:
    return rng.randbytes(rng.randint(0, min(len(data), 600)))


_CHANGES: dict[str, Callable[[bytes, Random], bytes]] = {
    "a bit flipped": _flip_bit,
    "a byte set": _set_byte,
    "bytes inserted": _insert,
    "bytes deleted": _delete,
    "a part repeated": _repeat,
    "a part moved": _move,
    "cut": _cut,
    "extended": _extend,
    "zeros written": _zeros,
    "noise": _noise,
}
