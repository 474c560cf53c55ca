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

from dataclasses import replace
from typing import TYPE_CHECKING

from hub.core.errors import Reason
from hub.core.lane import Order
from hub.core.ranges import EMPTY, RangeSet

if TYPE_CHECKING:
    from relayer.steps.flow import Flow, Reported


def head(flow: Flow) -> int:
    """The first item that is not dealt with: nothing after it may be sent before it."""
    behind = flow.ended - flow.lapsed
    if flow.order is Order.ENFORCED:
        for delayed in flow.awaiting:
            behind |= delayed.items
    for _, end in behind.overlapping(flow.first, flow.first + 1):
        return end
    return flow.first


def in_turn(flow: Flow, items: RangeSet) -> RangeSet:
    """Those of *items*, the first pending ones, whose turn it is now."""
    if flow.in_flight or items.first > head(flow):
        return EMPTY
    low, high = items.ranges[0]
    return RangeSet.span(low, high)


def lapse(flow: Flow, items: RangeSet, held: RangeSet) -> Flow:
    """Items have ended without a receipt; *held* are those that stand somewhere in the flow.

    A gateway that enforces order has passed over those that it was reported to have dealt with. Of
    the others it is to be told, except of those that are on their way to it.
    """
    if flow.order is not Order.ENFORCED:
        return flow
    reported = EMPTY
    for delayed in flow.awaiting:
        reported |= delayed.items
    new = items - reported
    return replace(
        flow,
        ended=flow.ended | new,
        lapsed=flow.lapsed | new,
        parked=flow.parked - new,
        pending=flow.pending | (new - (held - flow.parked)),
    )


def dealt_with(report: Reported, items: RangeSet) -> RangeSet:
    """Those of an attempt's *items* that the destination will never take another time.

    They were executed, or their timeout has passed there, or the gateway is proven to be beyond.
    """
    late = [one.item for one in report.refused if one.refusal.reason is Reason.TIMEOUT_ELAPSED]
    return items & (report.executed | RangeSet.of(late) | RangeSet.span(0, report.next_item))


def rewound(flow: Flow, item: int, held: RangeSet) -> Flow:
    """The gateway is proven to receive *item* next: what is after it has yet to be shown to it.

    *held* are the items that stand somewhere in the flow. What was reported to be executed after
    *item* was not, or only since; what has ended after it has lapsed, or the gateway will say so.
    """
    before = RangeSet.span(0, item)
    passed = flow.lapsed & before
    awaiting = [replace(one, items=one.items & before) for one in flow.awaiting]
    unproven = EMPTY
    for one in flow.awaiting:
        unproven |= one.items - before
    lapsed = flow.ended - before
    return replace(
        flow,
        awaiting=tuple([one for one in awaiting if one.items]),
        later=tuple(
            [replace(one, items=one.items - passed) for one in flow.later if one.items - passed]
        ),
        pending=(flow.pending - passed) | unproven | (lapsed - held),
        tried=flow.tried | unproven,
        lapsed=lapsed,
    )
