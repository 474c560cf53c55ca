"""A header on its way to being verified: in few turns of the verification pool, and short ones.

A turn costs more than many of its steps, and between two turns other peers have theirs; so whatever
needs no answer of an adapter is done in the first one.

Source: design section 5, "Verification runs one task per frame in a small thread pool".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from hub.core.client import VerifiedHeader
from hub.light_clients.bisection import Step, bisect

if TYPE_CHECKING:
    from hub.core.client import Anchor, ConsensusState, Header
    from hub.core.time import Timestamp
    from hub.light_clients.bisection import Steps
    from hub.light_clients.interface import LightClient

STEPS_OF_A_TURN: Final = 2
"""Headers of one peer that are verified before others have their turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What a header is judged by."""

    client: LightClient
    anchor: Anchor
    state: ConsensusState
    validators: bytes | None
    """Of the set that ``state.next_validators_hash`` names; None where it is not known."""
    now: Timestamp


@dataclass(slots=True)
class Bisection:
    """The steps from *trust* up to *height*, whose *header* is at hand."""

    trust: Trust
    steps: Steps
    height: int
    header: Header
    verified: list[VerifiedHeader] = field(default_factory=list)
    needed: int | None = 0
    """The height of the header that is to be sent; 0 of none, and None at the end."""

    def proceed(self, sent: Header | None = None) -> None:
        """A turn, with what was *needed*. Raises as ``bisect``."""
        before = len(self.verified)
        while len(self.verified) - before < STEPS_OF_A_TURN:
            try:
                event = self.steps.send(sent)
            except StopIteration:
                self.needed = None
                return
            sent = None
            if isinstance(event, Step):
                self.verified.append(VerifiedHeader(header=event.header, state=event.state))
            elif event.height == self.height:
                sent = self.header
            else:
                self.needed = event.height
                return
        self.needed = 0


def bisection(trust: Trust, header: Header, height: int) -> Bisection:
    """The way from *trust* to *header*, at its beginning."""
    steps = bisect(trust.client, trust.anchor, trust.state, trust.validators, height, now=trust.now)
    return Bisection(trust, steps, height, header)


def read(
    client: LightClient, header: Header, trust: Trust | None
) -> tuple[ConsensusState, Bisection | None]:
    """What *header* claims; where that is above *trust*, the first turn of verifying it is taken.

    Raises as ``read_header``, or as ``bisect``.
    """
    claimed = client.read_header(header)
    if trust is None or claimed.height.number <= trust.state.height.number:
        return claimed, None
    begun = bisection(trust, header, claimed.height.number)
    begun.proceed()
    return claimed, begun
