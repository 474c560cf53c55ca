from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub.cli.bench.accounting import Use
from hub.cli.bench.plan import Kind, LaneLoad, Phase
from hub.cli.bench.result import (
    MEGABYTE,
    phase_result,
    processes,
    read_result,
)
from hub.core.errors import FieldInvalid
from hub.core.time import SECOND
from tests.harness.bench import PHASE, RESULT, RUN

if TYPE_CHECKING:
    from pathlib import Path

BEFORE = {
    "wal": 0,
    "transactions": 5,
    "size": 1000,
    "table_bytes": 10,
    "dead_bytes": 0,
    "changing_bytes": 0,
}
AFTER = {
    "wal": 7000,
    "transactions": 15,
    "size": 2000,
    "table_bytes": 400,
    "dead_bytes": 100,
    "changing_bytes": 3 << 19,
}


def test_a_phase_is_told_a_packet() -> None:
    load = LaneLoad(lane=0, first=1, packets=10, frame=5)
    phase = Phase(name="x", kind=Kind.OPEN, loads=(load,), rate=7)
    ran = {
        "began_at": 1 * SECOND,
        "latencies": [[1000, 9], [5000, 1]],
        "late_ms": 0.123,
        "waited_ms": 4,
        "resent": 2,
    }
    used = {"relayer-1": Use(cpu_us=1000, written=50, memory=3 * MEGABYTE, peak=9)}
    found = phase_result(phase, ran, 3 * SECOND, used, (BEFORE, AFTER))
    assert (found.packets, found.per_second, found.rate) == (10, 5.0, 7)
    assert (found.p50_ms, found.p99_ms, found.p999_ms, found.max_ms) == (1.0, 5.0, 5.0, 5.0)
    assert found.cpu_us == {"relayer-1": 100.0}
    assert found.written_bytes == {"relayer-1": 5.0}
    assert found.memory_mb == {"relayer-1": 3.0}
    assert (found.wal_bytes, found.transactions, found.database_bytes) == (700.0, 1.0, 100.0)
    assert (found.bloat, found.resent, found.late_ms) == (0.25, 2, 0.12)
    assert (found.waited_ms, found.changing_mb) == (4, 1.5)


def test_the_system_is_all_relayers_and_postgres() -> None:
    phase = replace(PHASE, cpu_us={"relayer-1": 1.0, "relayer-2": 2.0, "Postgres": 4.0, "hub": 8.0})
    assert phase.system_us == 7.0
    assert processes([phase, PHASE]) == ["relayer-1", "relayer-2", "Postgres", "hub", "generator"]


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        ({"completed": 999}, "one relayer: 999 of 1000 packets are complete"),
        ({"violations": {"I1": 0, "I4": 2}}, "one relayer: 2 rows break I4"),
        ({"violations": {"I4": -1}}, "one relayer: there was no time to look at all of I4"),
        ({"unfinished": "interrupted"}, "one relayer: unfinished: interrupted"),
    ],
)
def test_what_is_lost_broken_or_unfinished_is_a_problem(
    broken: dict[str, object], problem: str
) -> None:
    assert RESULT.problems == []
    run = replace(RUN, **broken)  # type: ignore[arg-type]
    assert replace(RESULT, runs=(run,)).problems == [problem]


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    file.write_text(json.dumps(RESULT.as_json()))
    found = read_result(file)
    assert found == read_result(tmp_path)
    assert json.loads(json.dumps(found.as_json())) == json.loads(file.read_text())
    assert found.runs[0].phases == RUN.phases


@pytest.mark.parametrize("content", ["", "{", '{"format": 7}', '{"runs": 5}'])
def test_what_is_no_result_is_refused_by_its_name(tmp_path: Path, content: str) -> None:
    file = tmp_path / "x.json"
    if content:
        file.write_text(content)
    with pytest.raises(FieldInvalid) as raised:
        read_result(file)
    assert raised.value.field == str(file)


def test_memory_is_of_the_largest_relayer_and_a_middle_of_nothing_is_nothing() -> None:
    memory = {name: {"end": value} for name, value in (("relayer-1", 5.0), ("relayer-2", 6.0))}
    assert replace(RUN, memory_mb={**memory, "hub": {"end": 9.0}}).relayer_memory_mb == 6.0
    assert replace(RUN, memory_mb={}).relayer_memory_mb is None
    assert RUN.middle(Kind.SLICE, lambda phase: phase.p50_ms) is None
