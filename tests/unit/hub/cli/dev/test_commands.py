from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from ydhub.simchain.v1 import simchain_service_pb2 as simchain

from hub.cli.dev import commands
from hub.cli.dev.addresses import Addresses
from hub.cli.dev.configs import write
from hub.cli.dev.layout import CHAINS, PROCESSES
from hub.cli.dev.network import Network
from hub.wire import anchor_file
from hub.wire.anchors import anchor_to_proto
from tests.harness.command_line import run_command
from tests.harness.registry import anchor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from hub.cli.settings import Settings

CHOSEN = Addresses(
    hub="h:1",
    relayer="r:1",
    metrics="r:2",
    hub_metrics="h:2",
    enrolment="h:3",
    chains=dict.fromkeys(CHAINS, "c:1"),
)


def test_up_says_where_everything_is_and_what_is_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def up(network: Network) -> Addresses:
        network._tell("hub", "answers")
        return CHOSEN

    monkeypatch.setattr(Network, "up", up)
    found = run_command("dev", "up", "--dir", tmp_path, "-o", "json")
    assert found.code == 0
    assert found.json == {
        "hub": "h:1",
        "relayer": "r:1",
        "metrics": ["h:2", "r:2"],
        "chains": dict.fromkeys(CHAINS, "c:1"),
    }
    assert found.error.splitlines()[0].split() == ["hub", "answers"]
    assert "next: ydhub peer register -f " in found.error


def test_down_says_when_nothing_is_left(tmp_path: Path) -> None:
    found = run_command("dev", "down", "--dir", tmp_path)
    assert (found.code, found.error) == (0, "nothing runs\n")


def test_status_is_an_exit_code_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = run_command("dev", "status", "--dir", tmp_path)
    assert stopped.code == 9
    assert stopped.rows[1] == ["postgres", "stopped"]

    async def answers(network: Network, name: str) -> bool:
        return name != "hub" or answering

    answering = False
    monkeypatch.setattr(Network, "number", lambda network, name: 7)
    monkeypatch.setattr(Network, "answers", answers)
    starting = run_command("dev", "status", "--dir", tmp_path, "-o", "json")
    assert starting.code == 9
    states = {entry["name"]: entry["state"] for entry in starting.json["processes"]}
    assert states == {"postgres": "runs", **dict.fromkeys(PROCESSES, "answers"), "hub": "starts"}
    answering = True
    assert run_command("dev", "status", "--dir", tmp_path).code == 0


def write_log(directory: Path, name: str, text: str) -> None:
    file = directory / "logs" / f"{name}.log"
    file.parent.mkdir(exist_ok=True)
    with file.open("a") as stream:
        stream.write(text)


def test_logs_are_printed_from_their_end(tmp_path: Path) -> None:
    write_log(tmp_path, "hub", "".join(f"line {number}\n" for number in range(500)))
    write_log(tmp_path, "relayer", "one\n")
    hub = run_command("dev", "logs", "hub", "--dir", tmp_path)
    assert hub.out.splitlines()[0] == "line 400"
    assert hub.out.splitlines()[-1] == "line 499"
    every = run_command("dev", "logs", "--dir", tmp_path)
    assert every.out.splitlines()[-1] == "  relayer  one"
    assert run_command("dev", "logs", "other", "--dir", tmp_path).code == 2


async def test_logs_are_followed_line_by_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: asyncio.Queue[str] = asyncio.Queue()
    monkeypatch.setattr(commands, "FOLLOW_EVERY_S", 0.01)
    monkeypatch.setattr("click.echo", said.put_nowait)
    write_log(tmp_path, "hub", "before\n")
    file = tmp_path / "logs" / "hub.log"
    follower: asyncio.Task[Any] = asyncio.ensure_future(
        commands._follow({"hub": file}, marked=True)
    )

    async def next_line() -> str:
        return await asyncio.wait_for(said.get(), 10)

    await asyncio.sleep(0.05)
    write_log(tmp_path, "hub", "whole\nhal")
    assert await next_line() == "      hub  whole"
    write_log(tmp_path, "hub", "f\n")
    assert await next_line() == "      hub  half"
    await asyncio.to_thread(file.write_text, "anew\n")
    assert await next_line() == "      hub  anew"
    follower.cancel()


def test_no_log_is_told(tmp_path: Path) -> None:
    found = run_command("dev", "logs", "-f", "--dir", tmp_path)
    assert (found.code, "holds no log" in found.error) == (3, True)


class Offender:
    """Stands for the connection to a chain: it keeps what is asked of it."""

    def __init__(self) -> None:
        self.asked: list[simchain.MisbehaveRequest] = []
        self.simchain = SimpleNamespace(Misbehave=None, GetAnchor=None)

    async def call(self, _: None, request: Any) -> Any:
        if isinstance(request, simchain.GetAnchorRequest):
            return simchain.GetAnchorResponse(anchor=anchor_to_proto(anchor("hangzhou-1")))
        self.asked.append(request)
        return simchain.MisbehaveResponse(reason="QUORUM_NOT_REACHED", detail="why")


@pytest.fixture
def offender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Offender:
    made = Offender()

    @asynccontextmanager
    async def connect(_: Settings, address: str) -> AsyncIterator[Offender]:
        assert address == "c:1"
        yield made

    monkeypatch.setattr(commands, "connect", connect)
    tls = dict.fromkeys(("cert", "key", "ca"), "file")
    values = {"hub": {"server": "h:1"}, "tls": tls, "chains": {"hangzhou": "c:1"}}
    write(tmp_path / "dev.toml", values)
    return made


def test_misbehaviour_is_asked_of_the_chain_and_its_answer_told(
    tmp_path: Path, offender: Offender
) -> None:
    found = run_command("dev", "misbehave", "hangzhou", "forge-header", "--dir", tmp_path)
    assert (found.code, found.out) == (0, "QUORUM_NOT_REACHED why\n")
    words = ("withhold", "--client", "07-tendermint-0", "--for", "1m", "-o", "json")
    found = run_command("dev", "misbehave", "hangzhou", *words, "--dir", tmp_path)
    assert found.json == {"reason": "QUORUM_NOT_REACHED", "detail": "why"}
    kinds = simchain.MisbehaveRequest
    assert offender.asked == [
        kinds(kind=kinds.KIND_FORGE_HEADER, duration_ms=10_000),
        kinds(kind=kinds.KIND_WITHHOLD, client="07-tendermint-0", duration_ms=60_000),
    ]


def test_the_newest_block_of_a_chain_is_written_down(tmp_path: Path, offender: Offender) -> None:
    file = tmp_path / "new.yaml"
    found = run_command("dev", "anchor", "hangzhou", "--out", file, "--dir", tmp_path)
    expected = anchor("hangzhou-1")
    assert (found.code, found.out) == (0, f"1-5 {expected.header_hash.hex()}\n")
    assert anchor_file.read(file) == ("hangzhou", expected)
    found = run_command("dev", "anchor", "hangzhou", "--out", file, "--dir", tmp_path, "-o", "json")
    assert found.json == {"file": str(file), "height": "1-5"}
    assert run_command("dev", "anchor", "wuxi", "--out", file, "--dir", tmp_path).code == 3


@pytest.mark.parametrize("words", [("elsewhere", "stall"), ("hangzhou", "stall", "--for", "11m")])
def test_misbehaviour_of_no_chain_or_for_too_long_is_refused(
    tmp_path: Path, offender: Offender, words: tuple[str, ...]
) -> None:
    assert run_command("dev", "misbehave", *words, "--dir", tmp_path).code != 0
    assert offender.asked == []
