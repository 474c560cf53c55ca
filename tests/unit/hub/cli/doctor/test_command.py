from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ydhub.hub.v1 import status_service_pb2 as pb

from hub.cli.doctor import command
from hub.cli.doctor.command import EXITS, judge, summary
from hub.cli.doctor.findings import Level
from hub.cli.doctor.registry import CHECKS
from hub.core.invariants import BY_NAME
from tests.harness.sick_hub import activity, away, database, exception, healthy

if TYPE_CHECKING:
    from hub.cli.doctor.findings import Examined
    from tests.harness.command_line import Desk

PARKED: Any = 4


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Examined]:
    """What the doctor sees; the last one counts."""
    found = [healthy()]

    async def examine(*_: object, **__: object) -> Examined:
        return found[-1]

    monkeypatch.setattr(command, "examine", examine)
    return found


async def test_a_hub_in_good_health_ends_with_0(ydhub: Desk, seen: list[Examined]) -> None:
    found = await ydhub("doctor")
    assert (found.code, found.error.strip()) == (0, f"{len(CHECKS)} checks: {len(CHECKS)} ok")
    assert [row[1] for row in found.rows] == [check.name for check in CHECKS]


async def test_a_warning_ends_with_1_and_names_its_fix(ydhub: Desk, seen: list[Examined]) -> None:
    seen.append(healthy(activity=activity(exception(PARKED, 5, 2))))
    found = await ydhub("doctor")
    assert found.code == 1
    at = next(at for at, row in enumerate(found.rows) if row[1] == "packet.parked")
    assert found.rows[at][0] == "warning"
    assert "packet retry" in " ".join(found.rows[at + 1])
    assert found.rows[at + 2][-1] == "deploy/runbooks/packet-stuck.md"


async def test_a_failure_ends_with_2_and_the_rest_is_told(
    ydhub: Desk, seen: list[Examined]
) -> None:
    seen.append(away())
    found = await ydhub("doctor", "-o", "json")
    assert found.code == 2
    findings = {one["check"]: one for one in found.json["findings"]}
    assert findings["hub.answers"]["level"] == "FAILED"
    assert findings["packet.parked"]["level"] == "UNKNOWN"
    assert {"looksAt", "detail", "fix", "runbook"} < findings["client.frozen"].keys()
    assert found.error.strip() == f"{len(CHECKS)} checks: 1 failed, {len(CHECKS) - 1} not asked"


async def test_checks_can_be_chosen_by_their_names(ydhub: Desk, seen: list[Examined]) -> None:
    found = await ydhub("doctor", "--only", "client")
    assert [row[1].partition(".")[0] for row in found.rows] == ["client"] * 4
    assert (await ydhub("doctor", "--only", "nothing")).code == 2
    assert (await ydhub("doctor", "--between", "soon")).code == 3


async def test_a_broken_invariant_ends_with_2_and_shows_its_rows(
    ydhub: Desk, seen: list[Examined]
) -> None:
    broken = pb.InvariantStatus(name="lane_states", violation_count=3, samples=["lane 7 is OPEN"])
    seen.append(healthy(database=database(invariants=[broken])))
    found = await ydhub("doctor", "--invariants")
    assert found.code == 2
    at = next(at for at, row in enumerate(found.rows) if row[:1] == ["lane_states"])
    assert found.rows[at][1:3] == ["BROKEN", "3"]
    assert found.rows[at + 1] == ["row", "lane", "7", "is", "OPEN"]
    told = (await ydhub("doctor", "--invariants", "-o", "json")).json["invariants"]
    assert told[0]["samples"] == ["lane 7 is OPEN"]


async def test_an_invariant_that_took_too_long_is_a_warning(
    ydhub: Desk, seen: list[Examined]
) -> None:
    cut = pb.InvariantStatus(name="lane_states", unfinished=True)
    seen.append(healthy(database=database(invariants=[cut])))
    assert (await ydhub("doctor", "--invariants")).code == 1


def test_the_worst_decides_and_what_was_not_asked_does_not() -> None:
    assert [EXITS[level] for level in (Level.OK, Level.UNKNOWN, Level.WARNING)] == [0, 0, 1]
    assert summary(judge(healthy(), "client")) == "4 checks: 4 ok"


async def test_a_whole_hub_is_examined(ydhub: Desk) -> None:
    found = await ydhub("doctor", "--between", "0s", "--invariants", "-o", "json")
    levels = {one["check"]: one["level"] for one in found.json["findings"]}
    assert levels["hub.answers"] == levels["database.answers"] == "OK"
    assert levels["database.invariants"] == "OK"
    assert {one["name"]: one["state"] for one in found.json["invariants"]} == dict.fromkeys(
        BY_NAME, "holds"
    )
    assert levels["certificate.own"] in {"WARNING", "FAILED", "OK"}
    assert "UNKNOWN" not in {levels[f"certificate.{whose}"] for whose in ("own", "hub", "ca")}
