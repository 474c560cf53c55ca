from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import click
import grpc
import pytest

from hub.cli import watching
from hub.core.time import MILLISECOND, Duration
from hub.exchange import watches
from tests.harness.exchange import ADMIN

if TYPE_CHECKING:
    from tests.harness.command_line import Desk, Ran
    from tests.harness.exchange import Exchange
    from tests.harness.hub_server import Served


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watches, "EVERY", Duration(20 * MILLISECOND))
    monkeypatch.setattr(watching, "DIAL_EVERY_S", 0.02)


@pytest.fixture
def ends_after(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a watch end, as an operator interrupts it, after so many answers."""

    def after(count: int) -> None:
        told = 0
        tell = watching._tell

        def counted(*arguments: Any) -> None:
            nonlocal told
            tell(*arguments)
            told += 1
            if told == count:
                raise click.Abort

        monkeypatch.setattr(watching, "_tell", counted)

    return after


async def run(ydhub: Desk, *words: object) -> Ran:
    async with asyncio.timeout(20):
        return await ydhub(*words, "--watch")


@pytest.mark.parametrize(
    ("words", "count", "names"),
    [
        (("peer", "list"), 2, ["hangzhou", "suzhou"]),
        (("client", "list", "--peer", "suzhou"), 1, ["suzhou/client"]),
        (("lane", "list", "--peer", "suzhou"), 2, ["{lane}", "{back}"]),
        (("packet", "list", "hangzhou~suzhou"), 2, ["{lane}", "{lane}"]),
        (("packet", "list", "--state", "denied"), 1, ["{lane}"]),
    ],
)
async def test_a_watched_list_begins_with_everything(
    ydhub: Desk,
    exchange: Exchange,
    ends_after: Any,
    *,
    words: tuple[str, ...],
    count: int,
    names: list[str],
) -> None:
    await exchange.accept(exchange.send())
    await exchange.accept(exchange.send(), denied="no")
    ends_after(count)
    found = await run(ydhub, *words)
    assert found.code == 130
    header, *rows = [line.split("\t") for line in found.out.splitlines()]
    assert header[0] == "CHANGE"
    assert {row[0] for row in rows} == {"CURRENT"}
    keys = {"lane": str(exchange.key), "back": str(exchange.key.reverse)}
    assert [row[1] for row in rows] == [name.format(**keys) for name in names]


async def test_a_program_goes_on_where_it_stopped(
    ydhub: Desk, exchange: Exchange, ends_after: Any
) -> None:
    ends_after(3)
    found = await run(ydhub, "lane", "list", "-o", "json")
    *lanes, bookmark = [json.loads(line) for line in found.out.splitlines()]
    assert [one["change"] for one in lanes] == ["CHANGE_CURRENT"] * 2
    assert bookmark["change"] == "CHANGE_BOOKMARK"
    await exchange.registry.lanes.pause(exchange.key, "works", ADMIN)
    ends_after(1)
    token = bookmark["resumeToken"]
    again = await run(ydhub, "lane", "list", "-o", "json", "--resume-token", token)
    (change,) = [json.loads(line) for line in again.out.splitlines()]
    assert (change["change"], change["lane"]["pauseCause"]) == ("CHANGE_MODIFIED", "works")


async def test_a_watch_dials_again_when_the_hub_comes_back(
    ydhub: Desk, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub that comes back is asked from the resume token on."""
    asked: list[str] = []
    answers = iter([grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE, None])

    def method(hub: Any) -> Any:
        def call(request: Any) -> Any:
            asked.append(request.resume_token)
            code = next(answers)
            if code is None:
                raise click.Abort
            return broken(hub.watches.WatchLanes(request), code)

        return call

    async def broken(stream: Any, code: grpc.StatusCode) -> Any:
        async for answer in stream:
            yield answer
            if answer.resume_token:
                break
        nothing = grpc.aio.Metadata()
        raise grpc.aio.AioRpcError(code, nothing, nothing, "gone")

    follow = watching.follow

    async def followed(run: Any, _: Any, *rest: Any) -> None:
        await follow(run, method, *rest)

    monkeypatch.setattr(watching, "follow", followed)
    task = asyncio.create_task(run(ydhub, "lane", "list"))
    async with asyncio.timeout(20):
        while len(asked) < 2:  # noqa: ASYNC110 - the command runs in a thread
            await asyncio.sleep(0.01)
    await exchange.registry.lanes.pause(exchange.key, "works", ADMIN)
    found = await task
    assert (found.code, found.error.count("dials again")) == (130, 2)
    assert asked[0] == ""
    assert "" not in asked[1:]
    assert "MODIFIED" in found.out


async def test_what_asking_again_cannot_mend_ends_the_watch(ydhub: Desk, served: Served) -> None:
    del served
    found = await run(ydhub, "lane", "list", "--resume-token", "odd")
    assert (found.code, "PAGE_TOKEN_INVALID" in found.error) == (3, True)
    assert (await run(ydhub, "packet", "list")).code == 3
    assert (await run(ydhub, "packet", "list", "--state", "accepted")).code == 2
