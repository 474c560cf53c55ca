from __future__ import annotations

from dataclasses import replace
from shutil import disk_usage
from types import SimpleNamespace

import pytest

from hub.cli.bench import room
from hub.cli.bench.options import Options
from hub.cli.bench.plan import make_plan
from hub.core.errors import FieldInvalid

SMALL = Options(rates=(), idle=0, rounds=1, packets=1000, keys=1000)


def test_a_small_run_has_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "memory_free", lambda: 2**30)
    room.check_room(SMALL, make_plan(SMALL))
    assert disk_usage("/").total > 0


def test_too_little_memory_is_said_before_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "memory_free", lambda: 10**9)
    large = replace(SMALL, keys=10_000_000)
    with pytest.raises(FieldInvalid) as raised:
        room.check_room(large, make_plan(large))
    assert "--keys" in raised.value.field
    assert "of memory, and 1.0 GB are free" in raised.value.problem


def test_too_little_disk_is_said_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "memory_free", lambda: 2**40)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=3 * 10**9))
    past = replace(SMALL, behind=10_000_000)
    with pytest.raises(FieldInvalid) as raised:
        room.check_room(past, make_plan(past))
    assert "--behind" in raised.value.field


def test_a_longer_soak_needs_more_disk_and_no_more_memory() -> None:
    short, long = (replace(SMALL, rates=(5000,), minutes=count) for count in (3, 30))
    plans = make_plan(short), make_plan(long)
    assert room.memory_needed(short, plans[0]) == room.memory_needed(long, plans[1])
    assert room.disk_needed(short, plans[0]) < room.disk_needed(long, plans[1])


def test_free_memory_is_what_the_kernel_says() -> None:
    assert room.memory_free() > 2**20
