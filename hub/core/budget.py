"""How much content is read at once: until there is enough of it, whatever number that is."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Fact(Protocol):
    """A packet or an outcome."""

    @property
    def content(self) -> bytes:
        """Its canonical bytes."""
        ...


F = TypeVar("F")
CONTENT: Final = attrgetter("content")


def first_of(
    facts: Iterable[F], max_bytes: int | None, content: Callable[[F], bytes] = CONTENT
) -> list[F]:
    """*facts* up to the one with which their contents are *max_bytes* or more; None is no limit."""
    if max_bytes is None:
        return [*facts]
    found: list[F] = []
    size = 0
    for fact in facts:
        if size >= max_bytes:
            break
        found.append(fact)
        size += len(content(fact))
    return found


def is_full(facts: Iterable[Fact], max_bytes: int | None) -> bool:
    """Whether ``first_of`` may have left some out; if not, *facts* are all that there are."""
    return max_bytes is not None and size_of(facts) >= max_bytes


def size_of(facts: Iterable[Fact]) -> int:
    """Bytes of the contents of *facts*."""
    return sum([len(fact.content) for fact in facts])
