"""Checks of lanes and of the packets that wait in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ydhub.lane.v1 import lane_pb2
from ydhub.packet.v1 import packet_pb2

from hub.cli.doctor.findings import (
    DAY,
    HOUR,
    MINUTE,
    few,
    fine,
    graded,
    shown,
    unknown,
    warning,
)
from hub.wire.times import timestamp_from_proto

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from google.protobuf.timestamp_pb2 import Timestamp
    from ydhub.hub.v1.status_service_pb2 import GetActivityResponse, LaneActivity

    from hub.cli.doctor.findings import Examined, Verdict

_KIND = packet_pb2.PacketException
GROWTH_LEAST = 100
"""Packets; a backlog that is smaller may do as it likes."""


def of_lanes(judge: Callable[[GetActivityResponse], Verdict]) -> Callable[[Examined], Verdict]:
    """*judge*, where the lanes were asked."""

    def asked(seen: Examined) -> Verdict:
        if seen.activity is None:
            return unknown("the lanes were not asked")
        return judge(seen.activity)

    return asked


def paused(found: GetActivityResponse) -> Verdict:
    """No lane is paused."""
    lanes = [
        f"{_short(lane)} ({lane.pause_cause})"
        for lane in found.lanes
        if lane.state == lane_pb2.LANE_STATE_PAUSED
    ]
    if lanes:
        return warning(few(lanes), "`ydhub lane resume LANE` once the cause is gone")
    return fine(f"none of {len(found.lanes)}")


def gaps(found: GetActivityResponse) -> Verdict:
    """No sequence is missing below an accepted one."""
    lanes = [f"{_short(lane)} ({lane.hole_count})" for lane in found.lanes if lane.hole_count]
    if lanes:
        fix = "others may have carried them: the relayer finds out. If they stay, the adapter hides"
        return warning(few(lanes), f"{fix} packets: ask its operator")
    return fine("none")


def parked(found: GetActivityResponse) -> Verdict:
    """No packet waits for an operator."""
    fix = "`ydhub packet list --state parked`, `packet explain`, mend it, `packet retry`"
    return _waiting(found, _KIND.KIND_PARKED, 0, HOUR, fix)


def retrying(found: GetActivityResponse) -> Verdict:
    """No packet fails again and again."""
    fix = "`ydhub packet list --state retry` and `packet explain` tell what its chain says"
    return _waiting(found, _KIND.KIND_RETRY, 10 * MINUTE, DAY, fix)


def denied(found: GetActivityResponse) -> Verdict:
    """Denied packets end by their timeouts."""
    fix = "they end once a header past their timeout is proven; if not wanted, allow their route"
    return _waiting(found, _KIND.KIND_DENIED, HOUR, 30 * DAY, fix)


def held(found: GetActivityResponse) -> Verdict:
    """No packet waits on a stopped lane."""
    oldest, lanes = _oldest(found, [lane for lane in found.lanes if _is_stopped(lane)])
    if not lanes:
        return fine("none")
    fix = "`ydhub packet list --state held` names them; resume the lane or recover the client"
    return graded(oldest, 0, HOUR, f"{few(lanes)}, the oldest for {shown(oldest)}", fix)


def oldest_open(found: GetActivityResponse) -> Verdict:
    """Packets of lanes that run get their outcomes."""
    oldest, lanes = _oldest(found, [lane for lane in found.lanes if not _is_stopped(lane)])
    fix = "`ydhub packet explain LANE/SEQUENCE` says what the oldest waits for"
    detail = f"the oldest for {shown(oldest)}: {few(lanes)}" if lanes else "none waits"
    return graded(oldest, 5 * MINUTE, HOUR, detail, fix)


def outcome_lag(found: GetActivityResponse) -> Verdict:
    """Outcomes are executed at their sources."""
    waits = [
        (_age(found, lane.oldest_owed_time), _short(lane))
        for lane in found.lanes
        if lane.HasField("oldest_owed_time")
    ]
    oldest = max([age for age, _ in waits], default=0)
    lanes = [name for _, name in sorted(waits, reverse=True)]
    detail = f"the oldest for {shown(oldest)}: {few(lanes)}" if lanes else "none waits"
    fix = "look whether the source's adapter is attached, and at `ydhub packet list --state parked`"
    return graded(oldest, MINUTE, 10 * MINUTE, detail, fix)


def backlog(seen: Examined) -> Verdict:
    """What waits does not grow."""
    if seen.activity is None or seen.earlier is None:
        return unknown("the lanes were not asked twice")
    before = {lane.lane: lane.open_count for lane in seen.earlier.lanes}
    grown = [
        f"{_short(lane)} (from {before[lane.lane]} to {lane.open_count})"
        for lane in seen.activity.lanes
        if lane.lane in before
        and lane.open_count >= GROWTH_LEAST
        and lane.open_count - before[lane.lane] >= max(GROWTH_LEAST, before[lane.lane] // 5)
    ]
    if grown:
        fix = "look at the destination's adapter and chain; `ydhub top` shows rates"
        return warning(few(grown), fix)
    waiting = sum([lane.open_count for lane in seen.activity.lanes])
    return fine(f"{waiting} packets without an outcome")


def _waiting(
    found: GetActivityResponse,
    kind: packet_pb2.PacketException.Kind.ValueType,
    warns_at: int,
    fails_at: int,
    fix: str,
) -> Verdict:
    counts = [(lane, one) for lane in found.lanes for one in lane.exceptions if one.kind == kind]
    if not counts:
        return fine("none")
    oldest = max([_age(found, one.oldest_time) for _, one in counts])
    lanes = few([f"{_short(lane)} ({one.count})" for lane, one in counts])
    return graded(oldest, warns_at, fails_at, f"{lanes}, the oldest for {shown(oldest)}", fix)


def _oldest(found: GetActivityResponse, lanes: Sequence[LaneActivity]) -> tuple[int, list[str]]:
    """How long the oldest open packet of *lanes* has waited (ns), and where some wait."""
    waits = [
        (_age(found, lane.oldest_open_time), f"{_short(lane)} ({lane.open_count})")
        for lane in lanes
        if lane.HasField("oldest_open_time")
    ]
    names = [name for _, name in sorted(waits, reverse=True)]
    return max([age for age, _ in waits], default=0), names


def _is_stopped(lane: LaneActivity) -> bool:
    is_open = lane.state == lane_pb2.LANE_STATE_OPEN
    return not is_open or bool(lane.source_stopped or lane.destination_stopped)


def _age(found: GetActivityResponse, since: Timestamp) -> int:
    return max(0, timestamp_from_proto(found.time) - timestamp_from_proto(since))


def _short(lane: LaneActivity) -> str:
    return lane.lane.removeprefix("lanes/")
