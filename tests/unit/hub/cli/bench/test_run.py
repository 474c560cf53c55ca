"""What is kept of a run that is cut short; tests/bench has whole ones."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from hub.cli.bench import run as module
from hub.cli.bench.accounting import Accounts, Use
from hub.cli.bench.line_process import LineProcess
from hub.cli.bench.options import Options
from hub.cli.bench.run import Run, load_line
from hub.core.errors import AnswerOverdue, FieldInvalid
from hub.core.lane import Order

SMALL = Options(rates=(100,), seconds=1, packets=100, rounds=1, idle=2, batch=10, keys=10)
COUNTERS = {
    "wal": 1,
    "transactions": 1,
    "size": 1,
    "table_bytes": 1,
    "dead_bytes": 0,
    "changing_bytes": 0,
}


def test_a_result_keeps_no_password() -> None:
    url = "postgresql://ydhub:a/canary@b@localhost:5432/ydhub?password=c/canary"
    kept = Run("here", replace(SMALL, database_url=url), print).found.options["database_url"]
    assert "canary" not in kept
    assert "localhost:5432/ydhub" in kept


class Answers:
    """Stands for a process: answers what it is asked, and breaks when it shall."""

    number = 1

    def __init__(self, breaks_at: int = 99, error: BaseException | None = None) -> None:
        self._breaks_at = breaks_at
        self._error = error
        self.lost = 0

    async def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        if "peers" in question:
            return {"build_ms": 5, "packet_bytes": 300, "anchors": {}}
        match question["do"]:
            case "measure":
                return {"functions_us": {"a function": 1.0}}
            case "run":
                if question["phase"] >= self._breaks_at and self._error is not None:
                    raise self._error
                ran = {"began_at": 0, "waited_ms": 0, "late_ms": 0.0, "resent": 0}
                return {**ran, "latencies": [[5, 1]]}
            case "completed":
                return {"completed": {n: c - self.lost for n, c in question["lanes"].items()}}
            case "use":
                return COUNTERS
            case _:
                return {"I1": 0}

    async def close(self) -> None:
        return


@pytest.fixture
def generator(monkeypatch: pytest.MonkeyPatch) -> Answers:
    made = Answers()

    class Started:
        registry = Answers()
        accounts = Accounts({"relayer-1": lambda: Use(cpu_us=1, memory=2**20, peak=2**21)})

        def sessions(self, _: object) -> dict[str, Any]:
            return {"do": "attach"}

    class Context:
        async def __aenter__(self) -> Started:
            Started.registry.lost = made.lost
            return Started()

        async def __aexit__(self, *_: object) -> None:
            return

    async def start(*_: object, **__: object) -> Answers:
        return made

    monkeypatch.setattr(module, "FLUSHED_S", 0)
    monkeypatch.setattr(module, "system", lambda *_: Context())
    monkeypatch.setattr(LineProcess, "start", start)
    return made


async def test_a_whole_run_has_no_problem(generator: Answers) -> None:
    run = Run("x", SMALL, lambda _: None)
    await run.carry_out()
    assert run.found.problems == []
    assert [phase.name for phase in run.found.phases] == ["idle", "100/s", "round 1"]
    assert run.found.memory_mb["relayer-1"] == {"start": 1.0, "end": 1.0, "peak": 2.0}
    assert run.found.functions_us == {"a function": 1.0}


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (AnswerOverdue(what="x", waited_ms=1), "ANSWER_OVERDUE: x not answered within 1 ms"),
        (asyncio.CancelledError(), "interrupted"),
    ],
)
async def test_phases_up_to_then_are_kept(
    generator: Answers, error: BaseException, why: str
) -> None:
    generator._breaks_at, generator._error = 3, error
    run = Run("x", SMALL, lambda _: None)
    with pytest.raises(type(error)):
        await run.carry_out()
    assert [phase.name for phase in run.found.phases] == ["idle", "100/s"]
    assert run.found.problems == [f"x: unfinished: {why}"]
    assert run.found.sent == run.found.completed > 0


async def test_lost_packets_end_it_and_are_told(generator: Answers) -> None:
    generator.lost = 1
    run = Run("x", SMALL, lambda _: None)
    await run.carry_out()
    assert run.found.completed == run.found.sent - 2
    assert run.found.problems == [
        f"x: {run.found.completed} of {run.found.sent} packets are complete"
    ]


async def test_without_room_nothing_is_begun(
    generator: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.cli.bench.room.memory_free", lambda: 0)
    run = Run("x", SMALL, lambda _: None)
    with pytest.raises(FieldInvalid):
        await run.carry_out()
    assert run.found.unfinished == "not begun"


def test_the_load_is_told_in_a_line() -> None:
    told = load_line(replace(SMALL, lanes=9, active=2, order=Order.ENFORCED, behind=1000), 297)
    assert "9 lanes, 2 of them active" in told
    assert told.endswith("proofs batch, order ENFORCED, 1,000 packets behind")
    assert "order" not in load_line(SMALL, 297)
