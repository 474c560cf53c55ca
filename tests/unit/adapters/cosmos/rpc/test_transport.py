from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from adapters.cosmos.rpc.transport import Rpc
from adapters.sdk.clock import SystemClock
from hub.core.errors import (
    ChainIdMismatch,
    ChainUnreachable,
    FieldInvalid,
    HeaderNotFound,
    HubError,
    LimitExceeded,
    RecordCorrupt,
    TransactionRefused,
)
from tests.harness.comet_rpc import CHAIN, NOWHERE, CallFailed, ScriptedNode, served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from adapters.cosmos.rpc.endpoint import Endpoint

MISSING = HeaderNotFound(client=CHAIN, height=9)
LARGE = LimitExceeded(what="answer", count=2, limit=1)
LIE = RecordCorrupt(what="x", stored="a", computed="b")


@asynccontextmanager
async def rpc(*nodes: ScriptedNode, before: tuple[str, ...] = ()) -> AsyncIterator[Rpc]:
    async with served(*nodes) as urls:
        rpc = Rpc(CHAIN, (*before, *urls), SystemClock())
        try:
            yield rpc
        finally:
            await rpc.close()


def fails_at(*errors: HubError | None) -> Callable[[Endpoint], Awaitable[str]]:
    """Asks each node in turn: it fails, or gives its name."""
    rest = list(errors)

    async def ask(endpoint: Endpoint) -> str:
        error = rest.pop(0)
        if error is not None:
            raise error
        return endpoint.name

    return ask


async def test_the_first_node_is_asked_for_its_chain_once() -> None:
    node = ScriptedNode()
    async with rpc(node) as one:
        for _ in range(3):
            await one.first(fails_at(None))
    assert len(node.calls("status")) == 1


async def test_a_node_that_is_not_there_is_left_for_the_next() -> None:
    node = ScriptedNode()
    async with rpc(node, before=(NOWHERE,)) as one:
        assert await one.first(fails_at(None)) == one.endpoints[1].name
        assert one.preferred is one.endpoints[1]


async def test_a_node_of_another_chain_is_left_for_the_next() -> None:
    wrong, node = ScriptedNode(chain_id="suzhou-2"), ScriptedNode()
    async with rpc(wrong, node) as one:
        assert await one.first(fails_at(None)) == one.endpoints[1].name


async def test_a_chain_that_no_node_serves_is_told() -> None:
    async with rpc(ScriptedNode(chain_id="suzhou-2"), ScriptedNode(chain_id="x" * 500)) as one:
        with pytest.raises(ChainIdMismatch) as caught:
            await one.first(fails_at())
    assert (caught.value.got, caught.value.expected) == ("suzhou-2", CHAIN)


async def test_where_some_node_gave_no_answer_nothing_is_known() -> None:
    async with rpc(ScriptedNode(chain_id="suzhou-2"), before=(NOWHERE,)) as one:
        with pytest.raises(ChainUnreachable) as caught:
            await one.first(fails_at())
    assert NOWHERE in caught.value.problem
    assert "suzhou-2" in caught.value.problem


async def test_a_status_that_fails_admits_nobody() -> None:
    node = ScriptedNode()

    def fail(_: object) -> None:
        raise CallFailed

    node.methods["status"] = fail
    async with rpc(node) as one:
        with pytest.raises(ChainUnreachable):
            await one.first(fails_at())


async def test_a_liar_is_left_for_the_next_and_asked_for_its_chain_again() -> None:
    liar, node = ScriptedNode(), ScriptedNode()
    async with rpc(liar, node) as one:
        assert await one.first(fails_at(LIE, None)) == one.endpoints[1].name
        assert one.preferred is one.endpoints[1]
        one.prefer(one.endpoints[0])
        await one.first(fails_at(None))
    assert len(liar.calls("status")) == 2
    assert len(node.calls("status")) == 1


async def test_a_node_that_is_doubted_is_asked_last_and_for_its_chain_again() -> None:
    doubted, node = ScriptedNode(), ScriptedNode()
    async with rpc(doubted, node) as one:
        await one.first(fails_at(None))
        one.doubt()
        assert await one.first(fails_at(None)) == one.endpoints[1].name
        one.doubt()
        assert await one.first(fails_at(None)) == one.endpoints[0].name
    assert len(doubted.calls("status")) == 2
    async with rpc(node) as one:
        one.doubt()
        assert await one.first(fails_at(None)) == one.preferred.name


async def test_a_node_that_lacks_a_height_stays_preferred() -> None:
    async with rpc(ScriptedNode(), ScriptedNode()) as one:
        assert await one.first(fails_at(MISSING, None)) == one.endpoints[1].name
        assert one.preferred is one.endpoints[0]


async def test_a_height_that_every_node_lacks_is_told() -> None:
    async with rpc(ScriptedNode(), ScriptedNode()) as one:
        with pytest.raises(HeaderNotFound):
            await one.first(fails_at(MISSING, MISSING))


async def test_a_height_may_be_at_a_node_that_does_not_answer() -> None:
    async with rpc(ScriptedNode(), before=(NOWHERE,)) as one:
        with pytest.raises(ChainUnreachable):
            await one.first(fails_at(MISSING))


async def test_what_the_only_node_fails_with_is_told_as_it_is() -> None:
    async with rpc(ScriptedNode()) as one:
        for error in (MISSING, LIE):
            with pytest.raises(type(error)):
                await one.first(fails_at(error))


async def test_an_answer_is_too_large_only_where_it_is_at_every_node() -> None:
    async with rpc(ScriptedNode(), ScriptedNode()) as one:
        assert await one.first(fails_at(LARGE, None)) == one.endpoints[1].name
        for errors in ((LARGE, MISSING), (MISSING, LARGE)):
            with pytest.raises(HeaderNotFound):
                await one.first(fails_at(*errors))
        with pytest.raises(LimitExceeded):
            await one.first(fails_at(LARGE, LARGE))
    async with rpc(ScriptedNode(), before=(NOWHERE,)) as one:
        with pytest.raises(ChainUnreachable):
            await one.first(fails_at(LARGE))


async def test_what_the_chain_itself_refuses_is_asked_of_no_other_node() -> None:
    refusal = TransactionRefused(chain=CHAIN, codespace="sdk", code=5, log="")
    node = ScriptedNode()
    async with rpc(ScriptedNode(), node) as one:
        with pytest.raises(TransactionRefused):
            await one.first(fails_at(refusal))
    assert not node.posts


async def test_after_it_is_closed_the_next_question_opens_it_again() -> None:
    async with rpc(ScriptedNode()) as one:
        await one.close()
        await one.first(fails_at(None))
        await one.close()
        await one.close()
        assert await one.first(fails_at(None)) == one.preferred.name


def test_no_nodes_or_none_of_http_are_refused() -> None:
    for urls in ((), ("tcp://127.0.0.1:26657",)):
        with pytest.raises(FieldInvalid):
            Rpc(CHAIN, urls, SystemClock())
