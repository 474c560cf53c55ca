"""Checks of who answers, by which clock, and under which certificates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ydhub.peer.v1 import peer_pb2

from hub.cli.doctor.findings import DAY, failed, few, fine, graded, shown, unknown, warning
from hub.core.time import MILLISECOND, SECOND
from hub.wire.times import timestamp_from_proto

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.cli.doctor.findings import Examined, Verdict

SKEW_WARNS = 500 * MILLISECOND
SKEW_FAILS = 5 * SECOND
"""Half of the drift that a client allows at most by default is ten seconds."""
CERTIFICATE_ENDS = (7 * DAY, 2 * DAY)
"""Warned, and failed: one that is renewed in its last third has long been renewed by then."""
CA_ENDS = (30 * DAY, 7 * DAY)


def hub_answers(seen: Examined) -> Verdict:
    """The hub server answers."""
    if seen.hub_error:
        fix = "look whether `ydhub-server` runs there, at its log, and at --server, --cert and --ca"
        return failed(f"{seen.server}: {seen.hub_error}", fix)
    if seen.errors:
        what = few([f"{asked}: {why}" for asked, why in seen.errors.items()])
        return warning(f"not answered: {what}", "ask as an administrator or a relayer")
    return fine(f"{seen.server} answers")


def versions(seen: Examined) -> Verdict:
    """The hub's program is the one that asks."""
    if seen.hub_report is None:
        return unknown("the hub did not answer")
    if seen.hub_report.version != seen.version:
        detail = f"the hub is {seen.hub_report.version}, this is {seen.version}"
        return warning(detail, "install the same release on both; the hub first")
    return fine(f"both are {seen.version}")


def hub_clock(seen: Examined) -> Verdict:
    """The hub's clock is the one of whoever asks."""
    if seen.hub_report is None or seen.asked_at is None:
        return unknown("the hub did not answer")
    skew = timestamp_from_proto(seen.hub_report.hub_time) - seen.asked_at
    fix = "synchronise both machines with NTP; `chronyc tracking` shows how far they are"
    return graded(abs(skew), SKEW_WARNS, SKEW_FAILS, f"{skew // MILLISECOND} ms apart", fix)


def database_clock(seen: Examined) -> Verdict:
    """The database's clock, by which leases end, is the hub's."""
    if seen.database is None:
        return unknown("the database was not asked")
    found = seen.database
    skew = timestamp_from_proto(found.database_time) - timestamp_from_proto(found.hub_time)
    fix = "synchronise the hub's and the database's machine with NTP"
    return graded(abs(skew), SKEW_WARNS, SKEW_FAILS, f"{skew // MILLISECOND} ms apart", fix)


def certificate(whose: str, ends: tuple[int, int], fix: str) -> Callable[[Examined], Verdict]:
    """The certificate lasts: it is warned of, and has failed, so long before its end (ns)."""
    warns, fails = ends

    def judge(seen: Examined) -> Verdict:
        ends_at = seen.certificates.get(whose)
        if ends_at is None:
            return unknown(seen.errors.get(f"{whose}'s certificate", "it could not be read"))
        left = ends_at - seen.now
        if left <= 0:
            return failed(f"it ended {shown(left)} ago", fix)
        return graded(-left, -warns, -fails, f"{shown(left)} left", fix)

    return judge


def leases(seen: Examined) -> Verdict:
    """A relayer holds the lease of every peer."""
    if seen.database is None:
        return unknown("the database was not asked")
    now = timestamp_from_proto(seen.database.database_time)
    over = [
        f"{lease.peer.removeprefix('peers/')} ({lease.owner}, {shown(now - ends_at)} ago)"
        for lease in seen.database.leases
        for ends_at in [timestamp_from_proto(lease.expire_time)]
        if lease.owner and ends_at <= now
    ]
    if over:
        fix = "start a relayer; it takes the leases within seconds. Look at the old one's log"
        return failed(f"expired: {few(over)}", fix)
    held = [lease for lease in seen.database.leases if lease.owner]
    if not held:
        return warning("no relayer holds a lease", "start a relayer, and look at its log")
    return fine(f"{len(held)} held")


def adapters(seen: Examined) -> Verdict:
    """Every active peer's adapter is attached."""
    if seen.peers is None:
        return unknown("the peers were not listed")
    active = [peer for peer in seen.peers if peer.state == peer_pb2.PEER_STATE_ACTIVE]
    away = [peer.name.removeprefix("peers/") for peer in active if not peer.attached]
    if away:
        fix = "ask the city's operator whether its adapter runs and reaches the relayer"
        return failed(f"away: {few(away)}", fix)
    return fine(f"{len(active)} attached")


def peers(seen: Examined) -> Verdict:
    """No peer is suspended."""
    if seen.peers is None:
        return unknown("the peers were not listed")
    states = {peer_pb2.PEER_STATE_SUSPENDED}
    found = [peer.name.removeprefix("peers/") for peer in seen.peers if peer.state in states]
    if found:
        fix = "`ydhub peer get NAME` says why; then `ydhub peer resume NAME --cause WHY`"
        return warning(f"suspended: {few(found)}", fix)
    return fine(f"{len(seen.peers)} peers, none suspended")
