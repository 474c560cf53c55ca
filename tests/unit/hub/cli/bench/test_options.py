from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hub.cli.bench.options import Options, check
from hub.core.errors import FieldInvalid

GOOD = Options()


def test_the_usual_options_and_local_databases_can_be_run() -> None:
    check(GOOD)
    for url in (
        "postgresql://127.0.0.1/x",
        "postgresql://localhost:5433/x",
        "postgresql://[::1]/x",
        "postgresql+asyncpg://postgres@/ydhub?host=/run/pg",
    ):
        check(replace(GOOD, database_url=url))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"batch": 257}, "--batch"),
        ({"batch": 0}, "--batch"),
        ({"peers": 1}, "--peers"),
        ({"window": 100}, "--window"),
        ({"window": 5000}, "--window"),
        ({"payload": 300_000}, "--payload"),
        ({"lanes": 0}, "--lanes"),
        ({"active": 3}, "--active"),
        ({"relayers": 0}, "--relayers"),
        ({"rates": (0,)}, "--rate"),
        ({"rates": (), "minutes": 1}, "--rate"),
        ({"rates": (), "rounds": 0, "idle": 0}, "--rounds"),
        ({"slice_seconds": 0}, "--slice-seconds"),
        ({"family": "fabric"}, "--family"),
        ({"database_url": "postgresql://db.example/x"}, "--database-url"),
        ({"database_url": "postgresql://192.0.2.1/x"}, "--database-url"),
        ({"database_url": "postgresql://u@/x?host=db.example"}, "--database-url"),
    ],
)
def test_what_cannot_be_run_is_refused_by_the_name_of_its_option(
    change: dict[str, Any], field: str
) -> None:
    with pytest.raises(FieldInvalid) as raised:
        check(replace(GOOD, **change))
    assert raised.value.field == field


def test_all_lanes_carry_packets_unless_some_are_named() -> None:
    assert replace(GOOD, lanes=7).carrying == 7
    assert replace(GOOD, lanes=7, active=2).carrying == 2
