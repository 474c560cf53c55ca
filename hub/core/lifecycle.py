"""The life of a packet: its states, and every legal move between them.

::

    accepted ──deliver──▶ delivered ──acknowledge──▶ acknowledged ──complete──▶ completed
        │  └──────────────────────────acknowledge──────▲
        └──time out──▶ timed out ──refund──▶ refunded

``delivered`` is information; only proofs decide. A timeout is legal from every state that is not
acknowledged. A denied packet takes its place in the lane, is never delivered, and ends by a proven
timeout, or by an acknowledgement where somebody else delivered it. A hole that others carried has
no life here: it is settled elsewhere from the first. A known packet never is; it ends by its
outcome at the destination.

Source: design section 3; ICS-04 v2 (an acknowledgement and a timeout exclude each other).
"""

from __future__ import annotations

from enum import StrEnum

from hub.core.errors import IllegalMove


class PacketState(StrEnum):
    """Where a packet stands."""

    ACCEPTED = "ACCEPTED"
    """Proven at the source, and durable in the registry."""
    DENIED = "DENIED"
    """Accepted, but policy forbids its route; waits for its timeout."""
    DELIVERED = "DELIVERED"
    """The destination's adapter reports it executed; not proven yet."""
    ACKNOWLEDGED = "ACKNOWLEDGED"
    """The destination's acknowledgement is proven; owed to the source."""
    COMPLETED = "COMPLETED"
    """The acknowledgement is executed on the source chain."""
    TIMED_OUT = "TIMED_OUT"
    """The receipt's absence is proven at or after the timeout; the refund is owed."""
    REFUNDED = "REFUNDED"
    """The timeout is executed on the source chain."""
    SETTLED_ELSEWHERE = "SETTLED_ELSEWHERE"
    """A hole: others carried it, and the source's commitment is proven gone. It begins so."""


class PacketEvent(StrEnum):
    """What can happen to a packet."""

    DELIVER = "DELIVER"
    ACKNOWLEDGE = "ACKNOWLEDGE"
    COMPLETE = "COMPLETE"
    TIME_OUT = "TIME_OUT"
    REFUND = "REFUND"
    REOPEN = "REOPEN"
    """An audit found the commitment still present at the source."""


_S, _E = PacketState, PacketEvent

MOVES: dict[tuple[PacketState, PacketEvent], PacketState] = {
    (_S.ACCEPTED, _E.DELIVER): _S.DELIVERED,
    (_S.ACCEPTED, _E.ACKNOWLEDGE): _S.ACKNOWLEDGED,
    (_S.ACCEPTED, _E.TIME_OUT): _S.TIMED_OUT,
    (_S.DENIED, _E.ACKNOWLEDGE): _S.ACKNOWLEDGED,
    (_S.DENIED, _E.TIME_OUT): _S.TIMED_OUT,
    (_S.DELIVERED, _E.ACKNOWLEDGE): _S.ACKNOWLEDGED,
    (_S.DELIVERED, _E.TIME_OUT): _S.TIMED_OUT,
    (_S.ACKNOWLEDGED, _E.COMPLETE): _S.COMPLETED,
    (_S.COMPLETED, _E.REOPEN): _S.ACKNOWLEDGED,
    (_S.TIMED_OUT, _E.REFUND): _S.REFUNDED,
    (_S.REFUNDED, _E.REOPEN): _S.TIMED_OUT,
}
"""Every legal move; a pair that is not here is illegal."""

INITIAL = frozenset({_S.ACCEPTED, _S.DENIED, _S.SETTLED_ELSEWHERE})
"""States in which a packet enters the registry."""

TERMINAL = frozenset({_S.COMPLETED, _S.REFUNDED, _S.SETTLED_ELSEWHERE})
"""States that only an audit leaves."""


def move(state: PacketState, event: PacketEvent) -> PacketState:
    """The state after *event*. Raises ``IllegalMove``."""
    after = MOVES.get((state, event))
    if after is None:
        raise IllegalMove(state=state, event=event)
    return after
