"""Counted on processes of this machine: what they use is real."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from hub.cli.bench.accounting import (
    Accounts,
    Use,
    children_of,
    parent,
    server_use,
    spent,
    use_of,
)

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = 2**22 + 1
"""Above the largest number of a process."""
BUSY = (
    "import sys, time\nwhile time.process_time() < 0.2: pass\nprint(flush=True); sys.stdin.read()"
)


def test_this_process_has_used_what_the_kernel_says() -> None:
    used = use_of(os.getpid())
    own = os.times()
    assert abs(used.cpu_us / 1e6 - own.user - own.system) < 1
    assert 0 < used.memory <= used.peak
    assert parent(os.getpid()) == os.getppid()


def test_a_child_counts_while_it_lives_and_its_time_when_it_has_ended() -> None:
    before = children_of(os.getpid())
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", BUSY], stdin=pipe, stdout=pipe) as child:
        assert child.stdout is not None
        child.stdout.readline()
        alive = children_of(os.getpid())
        assert alive.cpu_us - before.cpu_us >= 150_000
        assert alive.memory > before.memory
        server = server_use(os.getpid())
        assert server.memory > use_of(child.pid).memory // 2
        assert parent(child.pid) == os.getpid()
    ended = children_of(os.getpid())
    assert ended.cpu_us - before.cpu_us >= 150_000
    assert use_of(child.pid) == Use()


def test_who_is_gone_has_used_nothing() -> None:
    assert use_of(NOBODY) == children_of(NOBODY) == server_use(NOBODY) == Use()
    assert parent(NOBODY) == 0


def test_what_was_spent_is_the_difference_and_memory_is_what_is_held() -> None:
    before = {"a": Use(cpu_us=5, written=10, memory=100, peak=100)}
    after = {"a": Use(cpu_us=9, written=30, memory=90, peak=120), "b": Use(cpu_us=3)}
    assert spent(before, after) == {
        "a": Use(cpu_us=4, written=20, memory=90, peak=120),
        "b": Use(cpu_us=3),
    }


def test_what_it_writes_to_files_counts(tmp_path: Path) -> None:
    before = use_of(os.getpid()).written
    (tmp_path / "x").write_bytes(bytes(100_000))
    assert 100_000 <= use_of(os.getpid()).written - before < 200_000


def test_accounts_are_read_by_name() -> None:
    accounts = Accounts()
    accounts.add("one", os.getpid())
    accounts.add_children("below", NOBODY)
    accounts.add_server("all", os.getpid())
    found = accounts.read()
    assert set(found) == {"one", "below", "all"}
    assert found["all"].cpu_us >= found["one"].cpu_us > 0
    assert found["below"] == Use()
