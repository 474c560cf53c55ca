"""Protobuf as a tree that is changed and encoded again, with every length right.

A schema says which fields hold messages: field numbers, each with the schema of its message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.core.codec.proto import FIXED32, FIXED64, LENGTH, VARINT, encode_varint, read_fields

if TYPE_CHECKING:
    from random import Random

Schema = dict[int, "Schema"]


@dataclass(slots=True)
class Field:
    """One field; a message's *content* is its fields."""

    number: int
    wire_type: int
    content: int | bytes | list[Field]


def parse(data: bytes, schema: Schema) -> list[Field]:
    """The fields of *data*, which is canonical."""
    fields: list[Field] = []
    for number, wire_type, value in read_fields(data):
        inner = schema.get(number)
        is_message = inner is not None and wire_type == LENGTH and isinstance(value, bytes)
        content = parse(value, inner) if is_message else value  # type: ignore[arg-type]
        fields.append(Field(number, wire_type, content))
    return fields


def encode(fields: list[Field]) -> bytes:
    """The bytes of *fields*, in their order."""
    out: list[bytes] = []
    for field in fields:
        content = field.content
        out.append(encode_varint(field.number << 3 | field.wire_type))
        if isinstance(content, list):
            content = encode(content)
        if isinstance(content, int):
            out.append(encode_varint(content))
        elif field.wire_type in {FIXED32, FIXED64}:
            out.append(content)
        else:
            out.append(encode_varint(len(content)) + content)
    return b"".join(out)


def changed(data: bytes, schema: Schema, rng: Random) -> bytes:
    """*data* with one to two changes anywhere in its tree."""
    tree = parse(data, schema)
    for _ in range(rng.choice((1, 1, 2))):
        messages = _messages(tree)
        _change(rng.choice(messages), rng)
    return encode(tree)


def _messages(fields: list[Field]) -> list[list[Field]]:
    """Every message of the tree that has fields, the whole first."""
    found = [fields]
    for field in fields:
        if isinstance(field.content, list):
            found += _messages(field.content)
    return [message for message in found if message] or [fields]


def _change(fields: list[Field], rng: Random) -> None:
    if not fields:
        fields.append(Field(1, VARINT, 1))
        return
    at = rng.randrange(len(fields))
    kind = rng.randrange(8)
    if kind == 0:
        del fields[at]
    elif kind == 1:
        fields.insert(at, fields[at])
    elif kind == 2:
        to = rng.randrange(len(fields))
        fields[at], fields[to] = fields[to], fields[at]
    elif kind == 3:
        fields.append(Field(rng.choice((15, 16, 99)), VARINT, rng.choice((0, 1, 2**64 - 1))))
    elif kind == 4:
        fields[at] = Field(
            max(1, fields[at].number + rng.choice((-1, 1))),
            fields[at].wire_type,
            fields[at].content,
        )
    elif kind == 5:
        fields.insert(at, Field(fields[at].number, fields[at].wire_type, _default(fields[at])))
    else:
        fields[at] = Field(fields[at].number, fields[at].wire_type, _other(fields[at], rng))


def _default(field: Field) -> int | bytes:
    if isinstance(field.content, int):
        return 0
    return (
        bytes(8) if field.wire_type == FIXED64 else bytes(4) if field.wire_type == FIXED32 else b""
    )


def _other(field: Field, rng: Random) -> int | bytes | list[Field]:
    content = field.content
    if isinstance(content, list):
        return rng.choice((b"", [*content, *content], content[1:], content[::-1]))
    if isinstance(content, int):
        edges = (content + 1, content - 1, 0, 2**63, 2**64 - 1, content ^ 1 << rng.randrange(63))
        return rng.choice(edges) % 2**64
    if field.wire_type != LENGTH or not content:
        return rng.randbytes(len(content) or rng.randint(1, 33))
    at = rng.randrange(len(content))
    flipped = content[:at] + bytes((content[at] ^ 1 << rng.randrange(8),)) + content[at + 1 :]
    return rng.choice(
        (
            flipped,
            flipped,
            content[:-1],
            content + b"\x00",
            content[1:],
            b"",
            rng.randbytes(len(content)),
        )
    )
