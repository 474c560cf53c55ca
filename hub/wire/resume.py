"""What a watcher of a lane's packets knows, as the text of its resume token, and back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hub.core.errors import PageTokenInvalid
from hub.core.ranges import RangeSet
from hub.ports.watching import Seen

if TYPE_CHECKING:
    from collections.abc import Iterator

_NUMBER: Final = r"(?:0|[1-9][0-9]{0,18})"
_SPAN: Final = rf"{_NUMBER}-{_NUMBER}"
_SET: Final = rf"((?:{_SPAN}(?:,{_SPAN}){{0,1100}})?)"
_TEXT: Final = re.compile(rf"({_NUMBER});({_NUMBER});{_SET};{_SET};{_SET}")


def seen_to_text(seen: Seen) -> str:
    """*seen* as text."""
    sets = [_to_text(numbers) for numbers in (seen.accepted, seen.delivered, seen.executed)]
    return ";".join([str(seen.position), str(seen.outcome_count), *sets])


def seen_from_text(text: str) -> Seen:
    """What the watcher knows. Raises ``PageTokenInvalid``."""
    found = _TEXT.fullmatch(text)
    if found is None:
        raise PageTokenInvalid(token=text[:80])
    return Seen(
        position=int(found[1]),
        outcome_count=int(found[2]),
        accepted=_from_text(found[3]),
        delivered=_from_text(found[4]),
        executed=_from_text(found[5]),
    )


def position_from_text(text: str) -> int:
    """The position of a watch of names; 0 for none. Raises ``PageTokenInvalid``."""
    if text and re.fullmatch(_NUMBER, text) is None:
        raise PageTokenInvalid(token=text[:80])
    return int(text or 0)


def _to_text(numbers: RangeSet) -> str:
    return ",".join([f"{low}-{high}" for low, high in numbers.ranges])


def _from_text(text: str) -> RangeSet:
    spans = list(_spans(text))
    last = -1
    for low, high in spans:
        if not last < low < high:
            raise PageTokenInvalid(token=text[:80])
        last = high
    return RangeSet(tuple(spans))


def _spans(text: str) -> Iterator[tuple[int, int]]:
    for span in text.split(",") if text else ():
        low, _, high = span.partition("-")
        yield int(low), int(high)
