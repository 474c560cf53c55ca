"""What is demanded of an adapter, and what it means that it is not there."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from hub.core.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Failed(Exception):
    """The adapter did something else than what the rule says."""

    def __init__(self, expected: str, came: str) -> None:
        """*came* in the place of what was *expected*."""
        super().__init__(f"expected {expected}; came {came}")
        self.expected = expected
        self.came = came


class NotExaminable(Exception):
    """Something that the item needs is missing."""


def demand(holds: object, expected: str, came: object) -> None:
    """Raises ``Failed`` unless it *holds*."""
    if not holds:
        raise Failed(expected, str(came))


@contextmanager
def proven(expected: str) -> Iterator[None]:
    """What is done within must verify: a ``HubError`` there is the adapter's failure."""
    try:
        yield
    except HubError as error:
        raise Failed(expected, f"{error.reason}: {error}") from error
