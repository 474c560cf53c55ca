"""Rules that hold for every frame: what broke them is kept until their item is graded."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from adapters.conformance.demand import Failed
from adapters.sdk.waiting import rest
from hub.core.errors import Reason
from hub.core.time import SECOND, Duration
from hub.wire.frames import MAX_FRAME_BYTES, MAX_HEADERS, MAX_ITEMS

if TYPE_CHECKING:
    from collections.abc import Callable

    from ydhub.relay.v1 import relay_pb2 as pb

    from adapters.sdk.clock import Clock

    T = TypeVar("T")

FRAMES: Final = "frames_within_limits"
CREDITS: Final = "credits"
HEADERS: Final = "headers_shown"
HEADERS_FIRST: Final = "headers_first"
SHOWN_ONCE: Final = "shown_once"
BATCHES: Final = "batches_verify"
REPORTS: Final = "reports"
REASONS: Final = "reasons"
SESSIONS: Final = "sessions_last"

MAX_TRUSTED_HEIGHTS: Final = 64
MAX_ANSWER_BYTES: Final = 2 * 1024 * 1024
"""What a relayer takes in one message."""
_REASONS: Final = frozenset(reason.value for reason in Reason)


@dataclass(frozen=True, slots=True)
class Breach:
    """A rule was broken."""

    expected: str
    came: str


class Watch:
    """What was seen of the rules, and whoever waits for something that a frame brings about."""

    def __init__(self, clock: Clock) -> None:
        """Nothing was seen."""
        self.seen: Counter[str] = Counter()
        """How often each rule could have been broken."""
        self.breaches: dict[str, list[Breach]] = {}
        self._clock = clock
        self._changed = asyncio.Event()

    def hold(self, rule: str, holds: object, expected: str, came: object) -> bool:
        """Whether *rule* holds once more; noted if it does not."""
        self.seen[rule] += 1
        if not holds:
            self.breaches.setdefault(rule, []).append(Breach(expected, str(came)))
        return bool(holds)

    def tell(self) -> None:
        """Something has changed."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def until(self, found: Callable[[], T], limit: Duration, expected: str) -> T:
        """What is *found*, as soon as it is true. Raises ``Failed`` after *limit* (ns)."""
        deadline = self._clock.monotonic() + limit
        while not (what := found()):
            left = deadline - self._clock.monotonic()
            if left <= 0:
                raise Failed(expected, f"nothing of it within {limit / SECOND:g} s")
            await rest(self._changed, self._clock, Duration(left))
        return what

    def frame(self, frame: pb.AdapterFrame) -> None:
        """The rules of a frame's form. Source: relay.proto, AdapterFrame; design section 5."""
        kind, size = str(frame.WhichOneof("body")), frame.ByteSize()
        count, most = _items(frame)
        self.hold(FRAMES, count <= most, f"at most {most} items in a frame of {kind}", count)
        limit = MAX_ANSWER_BYTES if kind == "answer" else MAX_FRAME_BYTES
        fits = size <= (MAX_ANSWER_BYTES if count <= 1 else limit)
        self.hold(FRAMES, fits, f"at most {limit} bytes in a frame of {count} items", size)
        if frame.HasField("answer") and frame.answer.HasField("refusal"):
            self.refusal(frame.answer.refusal)
        for refusal in frame.report.refused:
            self.refusal(refusal)

    def refusal(self, refusal: pb.Refusal) -> None:
        """A refusal's reason is one of the closed list. Source: errors/v1/reason.proto."""
        known = refusal.reason in _REASONS and refusal.reason != Reason.INTERNAL
        came = f"{refusal.reason}: {refusal.detail}"
        self.hold(REASONS, known, "a reason of ydhub.errors.v1.Reason that is no fault", came)


def _items(frame: pb.AdapterFrame) -> tuple[int, int]:
    """How many items *frame* has, and how many it may have."""
    match frame.WhichOneof("body"):
        case "packets":
            return len(frame.packets.packets), MAX_ITEMS
        case "acknowledgements":
            return len(frame.acknowledgements.sequences), MAX_ITEMS
        case "headers":
            return len(frame.headers.headers), MAX_HEADERS
        case "answer" if frame.answer.HasField("headers"):
            return len(frame.answer.headers.headers), MAX_HEADERS
        case "report":
            return len(frame.report.trusted_heights), MAX_TRUSTED_HEIGHTS
        case _:
            return 1, 1
