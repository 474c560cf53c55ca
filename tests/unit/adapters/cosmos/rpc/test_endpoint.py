from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from adapters.cosmos.rpc.endpoint import Endpoint, Method, Refusal, problem_of
from adapters.sdk.clock import Clock, SystemClock
from hub.core.errors import ChainUnreachable, FieldInvalid, LimitExceeded
from hub.core.time import SECOND, Duration
from tests.harness.clock import ManualClock, until
from tests.harness.comet_rpc import CHAIN, CallFailed, ScriptedNode, served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence


class Echo(msgspec.Struct):
    """An answer."""

    at: int


ECHO = Method("echo", Echo, 1000)


@asynccontextmanager
async def endpoint(node: ScriptedNode, clock: Clock | None = None) -> AsyncIterator[Endpoint]:
    node.methods["echo"] = lambda params: {"at": params["at"], "other": [{}]}
    async with served(node) as (url,), aiohttp.ClientSession(auto_decompress=False) as session:
        yield Endpoint(CHAIN, url, lambda: session, clock or SystemClock(), Duration(9 * SECOND))


async def ask(one: Endpoint, many: Sequence[dict[str, object]]) -> object:
    return await one.calls(ECHO, many)


def says(content: bytes, **how: Any) -> Callable[[bytes], web.Response]:
    return lambda _: web.Response(body=content, **how)


async def test_a_call_is_answered() -> None:
    node = ScriptedNode()
    async with endpoint(node) as one:
        assert await one.call(ECHO, {"at": "7"}) == Echo(7)
        assert node.posts == [[("echo", {"at": "7"})]]


async def test_an_error_is_a_value_with_its_number() -> None:
    node = ScriptedNode()

    def fail(_: object) -> None:
        raise CallFailed(-32601)

    async with endpoint(node) as one:
        node.methods["echo"] = fail
        answer = await one.call(ECHO, {"at": "7"})
    assert isinstance(answer, Refusal)
    assert answer.code == -32601


async def test_nothing_is_a_refusal_without_a_number() -> None:
    node = ScriptedNode()
    async with endpoint(node) as one:
        node.methods["echo"] = lambda _: None
        answer = await one.call(ECHO, {"at": "7"})
    assert isinstance(answer, Refusal)
    assert answer.code == 0


async def test_many_calls_are_cut_into_arrays_of_ten() -> None:
    node = ScriptedNode()
    async with endpoint(node) as one:
        found = await one.calls(ECHO, [{"at": at} for at in range(21)])
        assert found == tuple([Echo(at) for at in range(21)])
        assert sorted(len(post) for post in node.posts) == [1, 10, 10]
        assert await one.calls(ECHO, []) == ()


async def test_calls_in_order_reach_the_node_one_array_after_the_other() -> None:
    node = ScriptedNode()
    async with endpoint(node) as one:
        await one.calls(ECHO, [{"at": at} for at in range(35)], in_order=True)
    assert [params["at"] for params in node.calls("echo")] == list(range(35))


async def test_after_a_failure_no_later_call_of_an_order_reaches_the_node() -> None:
    node = ScriptedNode()

    def echo(params: dict[str, Any]) -> object:
        if params["at"] == 12:
            node.body = lambda _: web.Response(status=500)
            return {"at": "gone"}
        return {"at": params["at"]}

    async with endpoint(node) as one:
        node.methods["echo"] = echo
        with pytest.raises(ChainUnreachable):
            await one.calls(ECHO, [{"at": at} for at in range(35)], in_order=True)
        node.body = None
        await one.call(ECHO, {"at": 99})
    assert [params["at"] for params in node.calls("echo")] == [*range(20), 99]


async def test_answers_may_come_in_another_order() -> None:
    node = ScriptedNode()
    node.is_reversed = True
    async with endpoint(node) as one:
        found = await one.calls(ECHO, [{"at": at} for at in range(15)])
    assert found == tuple([Echo(at) for at in range(15)])


async def test_one_call_of_many_may_fail() -> None:
    node = ScriptedNode()

    def echo(params: dict[str, Any]) -> object:
        if params["at"] == 3:
            raise CallFailed
        return {"at": params["at"]}

    async with endpoint(node) as one:
        node.methods["echo"] = echo
        found = await one.calls(ECHO, [{"at": at} for at in range(5)])
    assert [isinstance(answer, Refusal) for answer in found] == [False] * 3 + [True, False]


async def test_a_node_that_takes_fewer_calls_gets_fewer_from_then_on() -> None:
    node = ScriptedNode()
    node.batch_limit = 3
    async with endpoint(node) as one:
        expected = tuple([Echo(at) for at in range(20)])
        assert await one.calls(ECHO, [{"at": at} for at in range(20)], in_order=True) == expected
        node.posts.clear()
        assert await one.calls(ECHO, [{"at": at} for at in range(20)]) == expected
    assert max(len(post) for post in node.posts) <= 3


async def test_a_post_has_no_more_bytes_than_a_node_takes() -> None:
    node = ScriptedNode()
    async with endpoint(node) as one:
        many = [{"at": at, "tx": "x" * 400_000} for at in range(5)]
        assert await one.calls(ECHO, many) == tuple([Echo(at) for at in range(5)])
        assert sorted(len(post) for post in node.posts) == [1, 2, 2]
        with pytest.raises(LimitExceeded):
            await one.calls(ECHO, [{"at": 1, "tx": "x" * 950_000}])


def envelope(**fields: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0"} | fields).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"7",
        b"<html></html>",
        b'{"jsonrpc":"2.0","id":0,"result":{"at":1}',
        b'{"id":0,"result":{"at":"\xff"}}',
        b'{"id":0,"result":{"at":1},"x":"\\ud800"}\xff',
        b"[" * 100_000,
        b'{"id":0,"x":' + b"[" * 900,
        envelope(id=0, result={}),
        envelope(id=0, result={"at": "x"}),
        envelope(id=0, result={"at": [1]}),
        envelope(id=0, result=[]),
        envelope(id=[0], result={"at": 1}),
        envelope(id=0, error="text"),
        envelope(id=0, error={"code": "x"}),
        b"[]",
        b'[{"id":0,"result":{"at":1}}]',
    ],
)
async def test_what_cannot_be_read_is_no_answer(content: bytes) -> None:
    node = ScriptedNode()
    node.body = says(content[:990])
    async with endpoint(node) as one:
        with pytest.raises(ChainUnreachable):
            await one.call(ECHO, {"at": 1})


@pytest.mark.parametrize(
    "answers",
    [
        [{"id": 0, "result": {"at": 0}}],
        [{"id": 0, "result": {"at": 0}}, {"id": 0, "result": {"at": 0}}],
        [{"id": 0, "result": {"at": 0}}, {"id": 2, "result": {"at": 2}}],
        [{"id": 0, "result": {"at": 0}}, {"result": {"at": 1}}],
        [{"id": at, "result": {"at": at}} for at in range(3)],
        [{"id": 0, "result": {"at": 0}}, {"id": 1, "result": {"at": "x"}}],
        [],
        {"id": 0, "result": {"at": 0}},
        {"error": {"code": -32603}},
        {},
    ],
)
async def test_half_an_array_or_another_one_is_no_answer(answers: object) -> None:
    node = ScriptedNode()
    node.body = says(json.dumps(answers).encode())
    async with endpoint(node) as one:
        with pytest.raises(ChainUnreachable):
            await one.calls(ECHO, [{"at": 0}, {"at": 1}])


@pytest.mark.parametrize("status", [204, 301, 307, 400, 404, 429, 500, 503])
async def test_every_http_status_but_ok_is_no_answer(status: int) -> None:
    node = ScriptedNode()
    node.body = says(envelope(id=0, result={"at": 1}), status=status, headers={"Location": "/x"})
    async with endpoint(node) as one:
        with pytest.raises(ChainUnreachable):
            await one.call(ECHO, {"at": 1})


async def test_a_compressed_answer_is_not_unpacked() -> None:
    node = ScriptedNode()

    def packed(_: bytes) -> web.Response:
        response = web.Response(body=envelope(id=0, result={"at": 1}))
        response.enable_compression(web.ContentCoding.gzip)
        return response

    node.body = packed
    async with endpoint(node) as one:
        with pytest.raises(ChainUnreachable):
            await one.call(ECHO, {"at": 1})


async def test_a_body_over_its_limit_is_not_read_to_the_end() -> None:
    node = ScriptedNode()
    node.body = says(b" " * 1001)
    async with endpoint(node) as one:
        with pytest.raises(LimitExceeded) as caught:
            await one.call(ECHO, {"at": 1})
    assert (caught.value.count, caught.value.limit) == (1001, 1000)


class Endless(web.StreamResponse):
    """A body that says no length and never ends."""

    async def prepare(self, request: web.BaseRequest) -> Any:
        started = await super().prepare(request)
        while True:
            await self.write(b" " * 400)
        return started


async def test_a_body_without_a_length_and_an_end_is_cut_off() -> None:
    node = ScriptedNode()
    node.body = lambda _: Endless()
    async with endpoint(node) as one:
        with pytest.raises(LimitExceeded):
            await one.call(ECHO, {"at": 1})


class Stalled(web.StreamResponse):
    """A body of which only the beginning comes."""

    async def prepare(self, request: web.BaseRequest) -> Any:
        started = await super().prepare(request)
        await self.write(b'{"id":0,')
        await asyncio.Event().wait()
        return started


async def test_an_answer_that_stalls_is_given_up_in_time() -> None:
    node, clock = ScriptedNode(), ManualClock()
    node.body = lambda _: Stalled()
    async with endpoint(node, clock) as one:
        asked = asyncio.ensure_future(ask(one, [{"at": 1}]))
        await until(lambda: clock.is_awaited)
        await clock.advance(Duration(9 * SECOND - 1))
        assert not asked.done()
        await clock.advance(Duration(1))
        with pytest.raises(ChainUnreachable, match="9000 ms"):
            await asked


async def test_one_stalled_array_ends_the_others_too() -> None:
    node, clock = ScriptedNode(), ManualClock()
    node.body = lambda _: Stalled()
    async with endpoint(node, clock) as one:
        many: list[dict[str, object]] = [{"at": at} for at in range(50)]
        asked = asyncio.ensure_future(ask(one, many))
        await until(lambda: clock.is_awaited)
        await clock.advance(Duration(9 * SECOND))
        with pytest.raises(ChainUnreachable):
            await asked
        assert not clock.is_awaited


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00\x01\x02",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
)
async def test_what_is_not_http_is_no_answer(answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10_000)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, aiohttp.ClientSession() as session:
        url, limit = f"http://127.0.0.1:{port}", Duration(9 * SECOND)
        one = Endpoint(CHAIN, url, lambda: session, SystemClock(), limit)
        with pytest.raises(ChainUnreachable):
            await one.call(ECHO, {"at": 1})


async def test_nobody_there_is_no_answer_and_the_url_is_not_told() -> None:
    async with aiohttp.ClientSession() as session:
        url = "http://user:secret@127.0.0.1:9/secret"
        one = Endpoint(CHAIN, url, lambda: session, SystemClock(), Duration(9 * SECOND))
        with pytest.raises(ChainUnreachable) as caught:
            await one.call(ECHO, {"at": 1})
    assert "http://127.0.0.1:9 " in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "127.0.0.1:26657", "tcp://a:1", "http://", "http://[", "x:/"])
def test_what_is_no_url_of_http_is_refused(url: str) -> None:
    with pytest.raises(FieldInvalid):
        Endpoint(CHAIN, url, aiohttp.ClientSession, SystemClock(), Duration(1))


def test_a_problem_is_told_by_its_kind() -> None:
    assert problem_of(OSError(111, "refused")) == "ConnectionRefusedError refused"
    assert problem_of(aiohttp.InvalidURL("http://a/secret")) == "InvalidURL"
