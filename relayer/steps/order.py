"""What may be sent next on a lane whose packets are executed in their order.

Towards a gateway that keeps no order itself (best effort), an item is sent once everything before
it has ended: its receipt is proven, or its absence after its timeout, or that others carried it.

A gateway that enforces order receives nothing but the next sequence, so what is reported executed
need not be proven first. It must also be shown what it never received: what has ended without a
receipt is *lapsed*, and is sent in its turn for the gateway to pass over. A packet that may not be
delivered is never sent before it has lapsed; then its timeout has passed at the destination's
proven time, and nothing executes it any more.

Source: design section 3, "Order"; ICS-04, ordered channels that allow timeouts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from hub.core.errors import Reason
from hub.core.lane import Order
from hub.core.ranges import EMPTY, RangeSet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.record import Refusal


class Items(Protocol):
    """Some items of a flow."""

    @property
    def items(self) -> RangeSet:
        """Which."""
        ...


class Way(Protocol):
    """A flow, as far as order is concerned; flow.py tells what each is."""

    @property
    def order(self) -> Order:
        """The lane's."""
        ...

    @property
    def first(self) -> int:
        """The lane's first item."""
        ...

    @property
    def ended(self) -> RangeSet:
        """What has ended."""
        ...

    @property
    def lapsed(self) -> RangeSet:
        """Of that, what the gateway has not passed over."""
        ...

    @property
    def in_flight(self) -> Sequence[Items]:
        """Attempts."""
        ...

    @property
    def awaiting(self) -> Sequence[Items]:
        """What is reported, and not proven."""
        ...


class Refused(Protocol):
    """An item that the chain refused."""

    @property
    def item(self) -> int:
        """Which."""
        ...

    @property
    def refusal(self) -> Refusal:
        """Why."""
        ...


class Report(Protocol):
    """What became of an attempt."""

    @property
    def executed(self) -> RangeSet:
        """By it or before."""
        ...

    @property
    def refused(self) -> Sequence[Refused]:
        """By the chain."""
        ...

    @property
    def next_item(self) -> int:
        """That the gateway is proven to receive next, or 0."""
        ...


def head(flow: Way) -> int:
    """The first item that is not dealt with: nothing after it may be sent before it."""
    behind = flow.ended - flow.lapsed
    if flow.order is Order.ENFORCED:
        behind |= reported(flow)
    for _, end in behind.overlapping(flow.first, flow.first + 1):
        return end
    return flow.first


def reported(flow: Way) -> RangeSet:
    """Items of which the destination's adapter says that they are dealt with."""
    found = EMPTY
    for delayed in flow.awaiting:
        found |= delayed.items
    return found


def in_turn(flow: Way, items: RangeSet) -> RangeSet:
    """Those of *items*, the first pending ones, whose turn it is now."""
    if flow.in_flight or items.first > head(flow):
        return EMPTY
    low, high = items.ranges[0]
    return RangeSet.span(low, high)


def lapsing(flow: Way, items: RangeSet) -> RangeSet:
    """Those of *items*, which have ended without a receipt, that the gateway is to be told of.

    One that enforces order has passed over those that it was reported to have dealt with. One that
    enforces nothing is told nothing.
    """
    return items - reported(flow) if flow.order is Order.ENFORCED else EMPTY


def dealt_with(report: Report, items: RangeSet) -> RangeSet:
    """Those of an attempt's *items* that the destination will never take another time.

    They were executed, or their timeout has passed there, or the gateway is proven to be beyond.
    """
    late = [one.item for one in report.refused if one.refusal.reason is Reason.TIMEOUT_ELAPSED]
    return items & (report.executed | RangeSet.of(late) | RangeSet.span(0, report.next_item))


def rewinding(flow: Way, item: int) -> tuple[RangeSet, RangeSet, RangeSet]:
    """What it means that the gateway is proven to receive *item* next.

    First, what was reported executed from there on, and was not, or only since. Then what has
    lapsed and was passed over. Last, what has ended from there on: it lapsed, or the gateway will
    say that it has it.
    """
    before = RangeSet.span(0, item)
    return reported(flow) - before, flow.lapsed & before, flow.ended - before
