"""Checks of light clients: each heard in the cases in which it must be."""

from __future__ import annotations

from typing import Any

import pytest
from ydhub.client.v1 import client_pb2

from hub.cli.doctor.findings import Level
from tests.harness.sick_hub import PERIOD_S, ago, client, judged

WARNING, FAILED = Level.WARNING, Level.FAILED


def clients(**changes: Any) -> dict[str, Any]:
    return {"clients": [client(), client(name="peers/hangzhou/client", **changes)]}


SICK: list[tuple[str, Level, dict[str, Any], str]] = [
    (
        "client.frozen",
        FAILED,
        clients(status=client_pb2.CLIENT_STATUS_FROZEN, frozen_cause="two truths"),
        "hangzhou/client (two truths)",
    ),
    ("client.expired", FAILED, clients(status=client_pb2.CLIENT_STATUS_EXPIRED), "hangzhou/client"),
    ("client.pending", WARNING, clients(status=client_pb2.CLIENT_STATUS_PENDING), "hangzhou"),
    ("client.expiring", WARNING, clients(expire_time=ago(-PERIOD_S // 3)), "4d16h left"),
    ("client.expiring", FAILED, clients(expire_time=ago(-PERIOD_S // 10)), "1d9h left"),
]


@pytest.mark.parametrize(("name", "level", "changes", "words"), SICK)
def test_a_check_is_heard_where_it_must_be(
    name: str, level: Level, changes: dict[str, Any], words: str
) -> None:
    verdict = judged(name, **changes)
    assert verdict.level is level, verdict
    assert words in verdict.detail
    assert verdict.fix
