"""Every check: silent on a hub in good health, heard on one that is sick in its way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ydhub.client.v1 import client_pb2
from ydhub.lane.v1 import lane_pb2
from ydhub.packet.v1 import packet_pb2
from ydhub.peer.v1 import peer_pb2

from hub.cli.doctor.findings import DAY, Level
from hub.cli.doctor.registry import CHECKS
from hub.core.time import Timestamp
from tests.harness.sick_hub import (
    NOW,
    activity,
    ago,
    away,
    client,
    database,
    exception,
    healthy,
    lane,
    lease,
    peer,
)
from tests.unit.hub.cli.doctor import test_database as database_checks
from tests.unit.hub.cli.doctor import test_reach as reach
from tests.unit.hub.cli.doctor import test_traffic as traffic
from tests.unit.hub.cli.doctor import test_trust as trust

if TYPE_CHECKING:
    from ydhub.hub.v1 import status_service_pb2 as pb

OK, FAILED = Level.OK, Level.FAILED
PAUSED = lane_pb2.LANE_STATE_PAUSED
KIND = packet_pb2.PacketException
BY_NAME = {check.name: check for check in CHECKS}


def of(**changes: Any) -> dict[str, Any]:
    """The database is so."""
    return {"database": database(**changes)}


def lanes(*found: pb.LaneActivity) -> dict[str, Any]:
    return {"activity": activity(*found)}


def ends(whose: str, days: int) -> dict[str, Any]:
    whole = {one: Timestamp(NOW + 90 * DAY) for one in ("own", "hub", "ca")}
    return {"certificates": whole | {whose: Timestamp(NOW + days * DAY)}}


def clients(**changes: Any) -> dict[str, Any]:
    return {"clients": [client(), client(name="peers/hangzhou/client", **changes)]}


@pytest.mark.parametrize("name", BY_NAME)
def test_a_check_is_silent_on_a_hub_in_good_health(name: str) -> None:
    verdict = BY_NAME[name].judge(healthy())
    assert (verdict.level, verdict.fix or "") == (OK, verdict.fix), verdict
    assert verdict.detail


@pytest.mark.parametrize("name", BY_NAME)
def test_a_check_says_what_it_could_not_ask(name: str) -> None:
    verdict = BY_NAME[name].judge(away())
    assert verdict.level is (FAILED if name == "hub.answers" else Level.UNKNOWN)
    assert verdict.detail


def test_every_check_is_heard_somewhere() -> None:
    """Each by a case of its own module's test."""
    cases = [*reach.SICK, *database_checks.SICK, *trust.SICK, *traffic.SICK]
    assert {case[0] for case in cases} == set(BY_NAME)


def test_there_are_enough_checks_and_each_has_its_own_name() -> None:
    assert len(CHECKS) == len(BY_NAME) >= 20


def test_every_runbook_that_a_check_names_is_there() -> None:
    root = Path(__file__).parents[5] / "deploy/runbooks"
    assert [check.name for check in CHECKS if not (root / f"{check.runbook}.md").is_file()] == []


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("database.disk", of(disk_total_bytes=0)),
        ("database.invariants", {"invariants_asked": False}),
        ("packet.backlog", {"earlier": None}),
    ],
)
def test_what_was_not_asked_is_unknown(name: str, changes: dict[str, Any]) -> None:
    assert BY_NAME[name].judge(healthy(**changes)).level is Level.UNKNOWN


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("packet.backlog", lanes(lane(open_count=90))),
        ("packet.held", lanes(lane(state=PAUSED, open_count=0, oldest_open_time=None))),
        ("packet.open", lanes(lane(state=PAUSED, oldest_open_time=ago(9000)))),
        ("packet.retry", lanes(exception(KIND.KIND_RETRY, 599))),
        ("client.expiring", clients(status=client_pb2.CLIENT_STATUS_EXPIRED, expire_time=ago(9))),
        ("client.expiring", {"clients": []}),
        ("relayer.leases", of(leases=[lease("suzhou"), lease("wuxi", owner="")])),
        ("peer.adapters", {"peers": [peer(state=peer_pb2.PEER_STATE_RETIRED, attached=False)]}),
        ("database.answers", {"database_is_direct": True}),
    ],
)
def test_what_is_no_trouble_is_fine(name: str, changes: dict[str, Any]) -> None:
    assert BY_NAME[name].judge(healthy(**changes)).level is OK
