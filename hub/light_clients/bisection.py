"""From a trusted state up to a height, asking for as few headers as trust allows.

``bisect`` is a generator and does no I/O: it yields what it needs and is sent it, and yields each
state as it is verified, lowest first, so that a caller can keep them as they come::

    steps = bisect(client, anchor, trusted, validators, target, now=now)
    event = next(steps)
    while True:                                    # until StopIteration
        if isinstance(event, HeaderNeeded):
            event = steps.send(await fetch(event.height))
        else:
            keep(event)
            event = next(steps)

A state can only be skipped from when the set that it names for the next block is known. Where that
is none of the sets seen so far, the header after the state is asked for: it carries the set.

Source: ICS-07; CometBFT light/client.go, verifySkipping; [LCV-FUNC-MAIN], [LCV-SCHEDULE.1].
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from hub.core.errors import FieldInvalid, LimitExceeded
from hub.light_clients.interface import NeedsBisection
from hub.light_clients.predicates import height_increases

if TYPE_CHECKING:
    from hub.core.client import Anchor, ConsensusState, Header
    from hub.core.time import Timestamp
    from hub.light_clients.interface import LightClient

MAX_HEADERS: Final = 256
"""Headers that one bisection asks for at most."""


@dataclass(frozen=True, slots=True)
class HeaderNeeded:
    """Send the header of this height."""

    height: int


@dataclass(frozen=True, slots=True)
class Step:
    """A header is verified, and what is kept of it."""

    header: Header
    state: ConsensusState


Steps = Generator[HeaderNeeded | Step, "Header | None", None]


@dataclass(slots=True)
class _Seen:
    """The headers sent so far that may be needed again, and the sets that they carried."""

    client: LightClient
    limit: int
    asked: int = 0
    headers: dict[int, Header] = field(default_factory=dict)
    sets: dict[bytes, bytes] = field(default_factory=dict)

    def fetch(self, height: int) -> Generator[HeaderNeeded, Header | None, Header]:
        """The header of *height*, asked for if it was not seen."""
        known = self.headers.get(height)
        if known is not None:
            return known
        if self.asked >= self.limit:
            raise LimitExceeded(
                what="headers of one update", count=self.asked + 1, limit=self.limit
            )
        self.asked += 1
        header = yield HeaderNeeded(height)
        if header is None:
            raise FieldInvalid(field="header", problem=f"of height {height} was not sent")
        number = self.client.read_header(header).height.number
        if number != height:
            raise FieldInvalid(field="header", problem=f"is of height {number}, not {height}")
        self.headers[height] = header
        self.remember(header.validators)
        return header

    def remember(self, validators: bytes) -> None:
        self.sets[self.client.hash_validators(validators)] = validators

    def set_after(self, state: ConsensusState) -> Generator[HeaderNeeded, Header | None, bytes]:
        """The bytes of the set that *state* names for the next block, as far as they are known."""
        if state.next_validators_hash not in self.sets:
            following = yield from self.fetch(state.height.number + 1)
            # Not the named set? Then verifying from it will say so.
            return following.validators
        return self.sets[state.next_validators_hash]

    def forget_up_to(self, height: int) -> None:
        for below in [number for number in self.headers if number <= height]:
            del self.headers[below]


def bisect(
    client: LightClient,
    anchor: Anchor,
    trusted: ConsensusState,
    trusted_validators: bytes | None,
    target: int,
    *,
    now: Timestamp,
    max_headers: int = MAX_HEADERS,
) -> Steps:
    """Every state verified on the way from *trusted* to height *target*, the target's last.

    *trusted_validators* are the bytes of the set that ``trusted.next_validators_hash`` names, or
    None to ask for the header that carries it. The number of headers asked for is at most
    *max_headers*, and of verifications less than twice that. Raises ``HeightNotIncreasing`` for a
    target that is not above, ``LimitExceeded``, ``FieldInvalid`` for another header than asked for,
    or as ``verify_header``.
    """
    height_increases(got=target, trusted=trusted.height.number)
    seen = _Seen(client, max_headers)
    if trusted_validators is not None:
        seen.remember(trusted_validators)
    heights = [target]
    """Still to be verified, the lowest last."""
    while heights:
        height = heights[-1]
        header = yield from seen.fetch(height)
        validators = yield from seen.set_after(trusted)
        verdict = client.verify_header(anchor, trusted, validators, header, now=now)
        if isinstance(verdict, NeedsBisection):
            heights.append((trusted.height.number + height) // 2)
            continue
        trusted = verdict.state
        heights.pop()
        seen.forget_up_to(height)
        yield Step(header, trusted)
