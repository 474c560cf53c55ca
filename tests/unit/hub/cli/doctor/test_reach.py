"""Checks of who answers, clocks and certificates: each heard in the cases in which it must be."""

from __future__ import annotations

from typing import Any

import pytest
from ydhub.peer.v1 import peer_pb2

from hub.cli.doctor.findings import DAY, Level
from hub.core.time import SECOND, Timestamp
from tests.harness.sick_hub import NOW, ago, database, judged, lease, peer

OK, WARNING, FAILED = Level.OK, Level.WARNING, Level.FAILED


def of(**changes: Any) -> dict[str, Any]:
    """The database is so."""
    return {"database": database(**changes)}


def ends(whose: str, days: int) -> dict[str, Any]:
    whole = {one: Timestamp(NOW + 90 * DAY) for one in ("own", "hub", "ca")}
    return {"certificates": whole | {whose: Timestamp(NOW + days * DAY)}}


SICK: list[tuple[str, Level, dict[str, Any], str]] = [
    ("hub.answers", FAILED, {"hub_error": "UNAVAILABLE: no route"}, "no route"),
    ("hub.answers", WARNING, {"errors": {"database": "IDENTITY_NOT_ALLOWED"}}, "NOT_ALLOWED"),
    ("hub.version", WARNING, {"hub_report": database(version="0.0.9")}, "0.0.9"),
    ("hub.clock", WARNING, {"asked_at": Timestamp(NOW - SECOND)}, "1000 ms"),
    ("hub.clock", FAILED, {"asked_at": Timestamp(NOW + 60 * SECOND)}, "-60000 ms"),
    *[
        (f"certificate.{whose}", level, ends(whose, days), words)
        for whose, warned, failed in (("own", 6, 1), ("hub", 6, 1), ("ca", 29, 6))
        for days, level, words in (
            (warned, WARNING, f"{warned}d left"),
            (failed, FAILED, f"{failed}d left"),
            (-1, FAILED, "ended 1d ago"),
        )
    ],
    ("database.clock", WARNING, of(database_time=ago(1)), "-1000 ms"),
    ("database.clock", FAILED, of(database_time=ago(-9)), "9000 ms"),
    ("relayer.leases", FAILED, of(leases=[lease("suzhou", expire_time=ago(65))]), "1m5s ago"),
    ("relayer.leases", WARNING, of(leases=[lease("suzhou", owner="")]), "no relayer"),
    ("peer.adapters", FAILED, {"peers": [peer(), peer(name="peers/wuxi", attached=False)]}, "wuxi"),
    ("peer.suspended", WARNING, {"peers": [peer(state=peer_pb2.PEER_STATE_SUSPENDED)]}, "suzhou"),
]


@pytest.mark.parametrize(("name", "level", "changes", "words"), SICK)
def test_a_check_is_heard_where_it_must_be(
    name: str, level: Level, changes: dict[str, Any], words: str
) -> None:
    verdict = judged(name, **changes)
    assert verdict.level is level, verdict
    assert words in verdict.detail
    assert verdict.fix
