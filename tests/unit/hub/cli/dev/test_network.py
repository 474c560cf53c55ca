"""A network of programs that only wait; scenarios start the real ones."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from hub.cli.dev import network as module
from hub.cli.dev import readiness
from hub.cli.dev.layout import ADAPTERS, CHAINS, HUB, PROCESSES
from hub.cli.dev.network import URL_VARIABLE, Network
from hub.core.errors import AnswerOverdue, RegistryUnreachable
from hub.core.time import SECOND, Duration
from hub.wire import anchor_file
from hub.wire.anchors import anchor_to_proto
from tests.harness.anchors import make_anchor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ydhub.client.v1 import client_pb2

    from hub.cli.dev.layout import Layout

HEIGHTS = iter(range(1, 1000))
PROGRAM = "import signal; signal.pause()"


async def answer(layout: Layout, address: str) -> bool:
    return bool(address)


async def anchor(layout: Layout, address: str) -> client_pb2.Anchor:
    return anchor_to_proto(make_anchor(number=next(HEIGHTS)))


async def never(layout: Layout, address: str) -> bool:
    return False


@pytest.fixture
async def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Network]:
    package = tmp_path / "waiting_program.py"
    package.write_text(PROGRAM)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv(URL_VARIABLE, "postgresql://elsewhere/db")
    monkeypatch.setattr(module, "_PROGRAMS", dict.fromkeys(PROCESSES, ("waiting_program",)))
    for name in ("hub_answers", "relayer_answers"):
        monkeypatch.setattr(readiness, name, answer)
    monkeypatch.setattr(readiness, "newest_anchor", anchor)
    told: list[tuple[str, str]] = []
    found = Network(tmp_path / "net", lambda *words: told.append(words))
    found.told = told  # type: ignore[attr-defined]

    async def asked(*arguments: str) -> str:
        told.append(("ydhub-server", " ".join(arguments)))
        return "0001"

    monkeypatch.setattr(found, "_server", asked)
    yield found
    for name in PROCESSES:
        found.processes.send(name, signal.SIGKILL)


async def test_everything_starts_once_and_stops(network: Network) -> None:
    chosen = await network.up()
    numbers = [network.number(name) for name in PROCESSES]
    assert None not in numbers
    assert network.addresses["hub"] == chosen.hub
    assert await network.up() == chosen
    assert [network.number(name) for name in PROCESSES] == numbers
    await network.down()
    assert [network.number(name) for name in PROCESSES] == [None] * len(PROCESSES)
    assert list((network.layout.directory / "run").iterdir()) == []
    await network.down()


async def test_chains_and_adapters_may_be_two_processes_each(
    network: Network, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    names = (*PROCESSES, *ADAPTERS.values())
    monkeypatch.setattr(module, "_PROGRAMS", dict.fromkeys(names, ("waiting_program",)))
    split = Network(tmp_path / "split", lambda *_: None, is_split=True)
    monkeypatch.setattr(split, "_server", network._server)
    chosen = await split.up()
    assert split.names == names
    assert None not in [split.number(name) for name in names]
    assert split.addresses["suzhou-adapter"] == chosen.adapters[CHAINS[1]]
    await split.down()
    assert [split.number(name) for name in names] == [None] * len(names)


async def test_what_was_killed_is_started_again_where_it_was(network: Network) -> None:
    chosen = await network.up()
    before = network.number(HUB)
    network.processes.send(HUB, signal.SIGKILL)
    await network.processes.wait_for_end(HUB)
    assert await network.up() == chosen
    assert network.number(HUB) not in {None, before}


async def test_every_operator_has_its_own_anchors_and_keeps_them(network: Network) -> None:
    await network.up()
    files = {
        file: file.read_bytes() for file in (network.layout.directory / "anchors").rglob("*.yaml")
    }
    assert len(files) == len(CHAINS) + len(CHAINS) * (len(CHAINS) - 1)
    assert anchor_file.read(network.layout.anchor("suzhou", "hangzhou"))[0] == "hangzhou"
    await network.up()
    assert all(file.read_bytes() == content for file, content in files.items())


async def test_a_database_of_ones_own_is_used(network: Network) -> None:
    await network.up()
    told: list[tuple[str, str]] = network.told  # type: ignore[attr-defined]
    commands = [how for what, how in told if what == "ydhub-server"]
    assert commands == ["migrate --database-url postgresql://elsewhere/db"]
    assert "postgresql://elsewhere/db" in network.layout.config(HUB).read_text()


async def test_certificates_are_made_once(network: Network) -> None:
    await network.up()
    leaf = network.layout.certificate("admin")[0].read_bytes()
    await network.up()
    assert network.layout.certificate("admin")[0].read_bytes() == leaf


async def test_a_program_that_ends_is_told_with_what_it_said(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "waiting_program.py").write_text("raise SystemExit('no such thing')")
    for name in ("hub_answers", "relayer_answers"):
        monkeypatch.setattr(readiness, name, never)
    with pytest.raises(AnswerOverdue) as raised:
        await network.up()
    assert "has ended" in raised.value.what
    assert raised.value.__notes__ == ["no such thing"]


async def test_a_program_that_never_answers_is_told(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "hub_answers", never)
    monkeypatch.setattr(module, "READY_WITHIN", Duration(SECOND // 2))
    with pytest.raises(AnswerOverdue) as raised:
        await network.up()
    assert (raised.value.what, raised.value.waited_ms) == ("hub", 500)


async def test_a_database_that_fails_is_told(tmp_path: Path) -> None:
    network = Network(tmp_path / "net", lambda *_: None)
    assert "PATH" in os.environ
    with pytest.raises(RegistryUnreachable) as raised:
        await network._server("migrate", "--database-url", "postgresql+asyncpg://127.0.0.1:1/x")
    assert "REGISTRY_UNREACHABLE" in raised.value.problem


def test_what_never_ran_has_no_number_and_no_lines(tmp_path: Path) -> None:
    network = Network(tmp_path / "net", lambda *_: None)
    assert [network.number(name) for name in (*PROCESSES, "postgres")] == [None] * 6
    assert network.last_lines(HUB, 3) == []
