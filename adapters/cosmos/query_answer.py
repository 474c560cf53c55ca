"""A gRPC answer of a Cosmos chain, read field by field.

No hash covers it, so fields that are not asked for are passed over, and the last of several counts
where one is expected, as protobuf has it. What cannot be read tells nothing: ``ChainUnreachable``.

Source: protobuf encoding; cosmos-sdk v0.53 proto/cosmos/base (Coin, PageRequest, PageResponse).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Self, TypeVar

from hub.core.codec.proto import ProtoError, bytes_field, read_fields, varint_field
from hub.core.errors import ChainUnreachable

if TYPE_CHECKING:
    from hub.core.ids import ChainId

_T = TypeVar("_T", int, bytes)

_AMOUNT = re.compile(rb"[0-9]{1,78}")
"""Source: cosmossdk.io/math, integers of 256 bits."""
_NEXT_KEY = 1


def page_request(key: bytes, limit: int, *, reverse: bool = False) -> bytes:
    """``PageRequest`` of *limit* entries from *key* on; empty: from the end that comes first."""
    return bytes_field(1, key) + varint_field(3, limit) + varint_field(5, reverse)


class Answer:
    """One message; a field that is not there has its default."""

    def __init__(self, chain: ChainId, what: str, data: bytes) -> None:
        """*data* is *chain*'s answer to *what*. Raises ``ChainUnreachable``."""
        self._chain = chain
        self._what = what
        self._fields: dict[int, list[int | bytes]] = {}
        try:
            for number, _, value in read_fields(data):
                self._fields.setdefault(number, []).append(value)
        except ProtoError as error:
            raise self.unreadable(str(error)) from error

    def number(self, field: int) -> int:
        """The unsigned integer of *field*."""
        return self._all(field, int)[-1] if field in self._fields else 0

    def content(self, field: int) -> bytes:
        """The bytes of *field*."""
        return self._all(field, bytes)[-1] if field in self._fields else b""

    def text(self, field: int) -> str:
        """The text of *field*."""
        try:
            return self.content(field).decode()
        except UnicodeDecodeError as error:
            raise self.unreadable(f"field {field} is not UTF-8") from error

    def amount(self, field: int) -> int:
        """The integer that *field* holds in decimal digits; 0 where it is empty."""
        value = self.content(field) or b"0"
        if _AMOUNT.fullmatch(value) is None:
            raise self.unreadable(f"field {field} is no amount")
        return int(value)

    def message(self, field: int) -> Self:
        """The message in *field*."""
        return type(self)(self._chain, self._what, self.content(field))

    def messages(self, field: int) -> list[Self]:
        """Each message in the repeated *field*."""
        return [type(self)(self._chain, self._what, one) for one in self._all(field, bytes)]

    def next_key(self, field: int) -> bytes:
        """Where the next page begins, by the ``PageResponse`` in *field*; empty after the last."""
        return self.message(field).content(_NEXT_KEY)

    def unreadable(self, problem: str) -> ChainUnreachable:
        """What is raised where the answer has this *problem*."""
        return ChainUnreachable(chain=self._chain, problem=f"answers {self._what}: {problem}")

    def _all(self, field: int, kind: type[_T]) -> list[_T]:
        found = [value for value in self._fields.get(field, ()) if isinstance(value, kind)]
        if len(found) != len(self._fields.get(field, ())):
            raise self.unreadable(f"field {field} is of another type")
        return found
