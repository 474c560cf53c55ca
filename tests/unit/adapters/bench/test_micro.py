from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.bench import micro
from adapters.bench.load import ChainStore
from tests.harness.bench_workload import EAST, TIMEOUT, WORKLOAD

if TYPE_CHECKING:
    import pytest


def test_every_function_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(micro, "LOOP_NS", 1)
    samples = ChainStore(WORKLOAD, EAST, TIMEOUT).build(0).samples
    assert samples is not None
    found = micro.measure(samples)
    assert set(found) == {
        "header of 100 validators",
        "membership proof",
        "absence proof",
        f"proof batch of {len(samples.leaves)}",
        "proof batch, a leaf",
        "decode a packet",
        "commit a packet",
    }
    assert all(value > 0 for value in found.values())
