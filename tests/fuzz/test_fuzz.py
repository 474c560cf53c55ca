"""A small run of every target, and the engine's own duty to notice."""

from __future__ import annotations

import pytest

from hub.core.errors import Reason, RootMismatch
from tests.fuzz.__main__ import main
from tests.fuzz.engine import (
    ACCEPTED,
    MAX_GROWTH,
    SAME,
    UNFRAMED,
    Tally,
    Target,
    Unframed,
    failures,
    run_chunk,
)
from tests.fuzz.operators import Operator, bytewise
from tests.fuzz.report import table
from tests.fuzz.targets import TARGETS, load
from tests.fuzz.targets.frame_samples import TRUE_FRAMES
from tests.fuzz.targets.header_samples import VALID

COUNT = 3_000


@pytest.mark.parametrize("name", TARGETS)
def test_no_mutation_is_accepted_and_every_reason_is_reached(name: str) -> None:
    target = load(name)
    tally = run_chunk(target, 1, 0, COUNT)
    assert failures(target, tally) == []
    assert tally.total == COUNT


def test_valid_objects_are_valid() -> None:
    """Else no mutation of them would show anything."""
    for block in VALID:
        assert load("headers").judge(block.header) == SAME
    for frame in TRUE_FRAMES:
        assert load("frames").judge(frame.SerializeToString()) == SAME
    for name in ("proofs", "batches"):
        module = __import__(f"tests.fuzz.targets.{name}", fromlist=["samples"])
        for sample in module.samples():
            assert load(name).judge(sample.claim) == SAME


def test_chunk_is_the_same_each_time_and_another_with_another_seed() -> None:
    target = load("batches")
    first, again, other = (run_chunk(target, seed, 4, 300) for seed in (1, 1, 2))
    assert first.counts == again.counts
    assert first.counts != other.counts


# A target that is wrong is found ------------------------------------------------------------------


def _refused(_: bytes) -> str:
    raise RootMismatch(got="a", expected="b")


def _target(judge: object = _refused, *, structural: bool = True) -> Target:
    operator = Operator("change", lambda rng: rng.randbytes(4), structural)
    return Target("mine", (operator,), judge, frozenset({Reason.ROOT_MISMATCH}))  # type: ignore[arg-type]


def test_target_that_refuses_for_its_reasons_passes() -> None:
    assert failures(_target(), run_chunk(_target(), 1, 0, 50)) == []


def test_accepted_mutation_fails_the_run() -> None:
    target = _target(lambda data: ACCEPTED if data[0] < 128 else _refused(data))
    found = failures(target, run_chunk(target, 1, 0, 50))
    assert found[0].endswith(" accepted")
    assert "chunk 0, change: b'" in found[1]


def test_any_other_exception_fails_the_run() -> None:
    target = _target(lambda data: str(data[9]))
    found = failures(target, run_chunk(target, 1, 0, 50))
    assert found[0] == "50 raised something else than HubError"
    assert "IndexError" in found[1]


def test_message_that_cannot_be_made_fails_the_run() -> None:
    class Wrong(RootMismatch):
        template = "{missing}"

    def judge(_: bytes) -> str:
        raise Wrong(got="a", expected="b")

    found = failures(_target(judge), run_chunk(_target(judge), 1, 0, 5))
    assert "KeyError" in found[1]


def test_reason_that_is_not_reached_fails_the_run() -> None:
    def judge(_: bytes) -> str:
        raise Unframed

    tally = run_chunk(_target(judge), 1, 0, 5)
    assert tally.counts == {("change", UNFRAMED): 5}
    assert failures(_target(judge), tally) == ["reasons not reached: ROOT_MISMATCH"]


def test_too_few_structural_mutations_fail_the_run() -> None:
    target = _target(structural=False)
    # With no structural operator at all there is nothing to take turns with.
    mixed = Target(
        "mine",
        (*_target(lambda _: SAME).operators, *target.operators),
        _refused,
        target.reasons,
    )
    tally = run_chunk(mixed, 1, 0, 50)
    tally.structural = 24
    assert failures(mixed, tally) == ["only 24 of 50 are structural"]


def test_growing_memory_fails_the_run() -> None:
    tally = run_chunk(_target(), 1, 0, 5)
    more = Tally(memory={1: [100, 100 + MAX_GROWTH + 1, 50]})
    tally.add(more)
    assert failures(_target(), tally) == ["memory grew by 64 MiB"]


def test_what_a_valid_object_says_is_not_counted() -> None:
    target = _target(lambda data: SAME if data[0] < 128 else _refused(data))
    tally = run_chunk(target, 1, 0, 50)
    assert tally.total == 50
    assert tally.same > 0


def test_bytewise_operators_change_bytes() -> None:
    from random import Random

    rng = Random(1)
    data = bytes(range(64))
    for operator in bytewise(lambda _: (data, bytes)):
        made = [operator.make(rng) for _ in range(50)]
        assert any(one != data for one in made), operator.name


def test_table_counts_by_operator_and_reason(capsys: pytest.CaptureFixture[str]) -> None:
    tally = run_chunk(_target(), 1, 0, 1234)
    text = "\n".join(table(_target(), tally))
    assert "mine: 1,234 mutations, 100 % structural" in text
    assert text.count("ROOT_MISMATCH") == 2


def test_run_over_processes_ends_well(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--target", "batches", "--count", "2000", "--seed", "3", "--jobs", "2"]) == 0
    out = capfd.readouterr()
    assert "batches: 2,000 mutations" in out.out
    assert "batches: 2,000 of 2,000" in out.err
