from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from adapters.cosmos.rpc.endpoint import Endpoint
from adapters.cosmos.rpc.records import Proven
from adapters.cosmos.rpc.state import prove, query_all
from adapters.sdk.clock import SystemClock
from hub.core.errors import ChainUnreachable, HeaderNotFound, ProofUnparseable, RecordCorrupt
from hub.core.time import SECOND, Duration
from tests.harness.comet_json import base64, query_json
from tests.harness.comet_rpc import CHAIN, CallFailed, ScriptedNode, served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

KEPT = range(5, 11)


class Application(ScriptedNode):
    """An application with one store, that keeps the states of ``KEPT``."""

    def __init__(self) -> None:
        super().__init__()
        self.values = {b"key": b"value"}
        self.changes: dict[str, Any] = {}
        self.methods["abci_query"] = self.answer

    def answer(self, params: dict[str, Any]) -> dict[str, Any]:
        at = int(params["height"]) or KEPT[-1]
        data = bytes.fromhex(params["data"])
        if data == b"\x00" and self.changes:
            return self.key(data, at, is_proven=True)  # the probe meets an honest application
        if params["path"].startswith("/grpc"):
            answer = self.grpc(at)
        else:
            answer = self.key(data, at, is_proven=params["prove"])
        return {"response": answer["response"] | self.changes}

    def grpc(self, at: int) -> dict[str, Any]:
        if at not in KEPT:
            return query_json(code=38, codespace="sdk", log="whatever")
        return query_json(value=base64(b"answer"), height=str(at))

    def key(self, data: bytes, at: int, *, is_proven: bool) -> dict[str, Any]:
        if at not in KEPT:
            if is_proven:
                return query_json(code=3, codespace="store", log="whatever")
            return query_json(key=base64(data), log="whatever", height=str(at))
        value = self.values.get(data)
        proof = {"ops": proof_ops()} if is_proven else None
        return query_json(
            key=base64(data),
            value=base64(value) if value else None,
            proofOps=proof,
            height=str(at),
        )


def proof_ops(*kinds: str) -> list[dict[str, str]]:
    return [
        {"type": kind, "key": "aWJj", "data": base64(kind.encode())}
        for kind in kinds or ("ics23:iavl", "ics23:simple")
    ]


@asynccontextmanager
async def endpoint(node: ScriptedNode) -> AsyncIterator[Endpoint]:
    async with served(node) as (url,), aiohttp.ClientSession() as session:
        yield Endpoint(CHAIN, url, lambda: session, SystemClock(), Duration(9 * SECOND))


async def test_what_stands_and_what_does_not_is_proven() -> None:
    async with endpoint(Application()) as node:
        found = await prove(node, CHAIN, "ibc", (b"key", b"other"), 7)
    proofs = (b"ics23:iavl", b"ics23:simple")
    assert found == (Proven(b"value", *proofs), Proven(b"", *proofs))


async def test_many_keys_are_asked_for_in_few_posts() -> None:
    application = Application()
    keys = [b"%d" % at for at in range(25)]
    async with endpoint(application) as node:
        assert len(await prove(node, CHAIN, "ibc", keys, 7)) == 25
    assert len(application.posts) == 3
    asked = application.calls("abci_query")
    assert all(one["path"] == "store/ibc/key" and one["prove"] for one in asked)
    assert all(one["height"] == "7" for one in asked)
    assert sorted(bytes.fromhex(one["data"]) for one in asked) == sorted(keys)


@pytest.mark.parametrize("at", [1, 4, 11, 2**62])
async def test_a_state_that_is_not_kept_is_not_found_whatever_is_asked(at: int) -> None:
    async with endpoint(Application()) as node:
        with pytest.raises(HeaderNotFound) as caught:
            await prove(node, CHAIN, "ibc", (b"key",), at)
        assert (caught.value.client, caught.value.height) == (CHAIN, at)
        for path in ("store/ibc/key", "/grpc.Query/Any"):
            with pytest.raises(HeaderNotFound):
                await query_all(node, CHAIN, path, (b"key",), at)


async def test_values_are_read_without_proof() -> None:
    async with endpoint(Application()) as node:
        found = await query_all(node, CHAIN, "store/ibc/key", (b"key", b"other"), 7)
        assert [answer.value for answer in found] == [b"value", None]
        (answer,) = await query_all(node, CHAIN, "/grpc.Query/Any", (b"",), 0)
        assert answer.value == b"answer"


async def test_what_the_application_refuses_of_a_state_that_is_kept_is_returned() -> None:
    application = Application()
    async with endpoint(application) as node:
        application.changes = {"code": 22, "codespace": "sdk", "value": None}
        (answer,) = await query_all(node, CHAIN, "/grpc.Query/Any", (b"",), 7)
        assert (answer.codespace, answer.code) == ("sdk", 22)
        (answer,) = await query_all(node, CHAIN, "/grpc.Query/Any", (b"",), 0)
        assert answer.code == 22


async def test_a_key_that_a_kept_state_does_not_prove_is_asked_again_later() -> None:
    application = Application()
    async with endpoint(application) as node:
        for changes in ({"code": 1}, {"proofOps": None}, {"proofOps": {"ops": None}}):
            application.changes = changes
            with pytest.raises(ChainUnreachable):
                await prove(node, CHAIN, "ibc", (b"key",), 7)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"height": "8"}, RecordCorrupt),
        ({"key": None}, RecordCorrupt),
        ({"key": base64(b"kez")}, RecordCorrupt),
        ({"proofOps": {"ops": proof_ops("ics23:iavl")}}, ProofUnparseable),
        ({"proofOps": {"ops": proof_ops("ics23:simple", "ics23:iavl")}}, ProofUnparseable),
        ({"proofOps": {"ops": proof_ops("ics23:smt", "ics23:simple")}}, ProofUnparseable),
        ({"proofOps": {"ops": proof_ops(*["ics23:iavl"] * 3)}}, ProofUnparseable),
        ({"proofOps": {"ops": [{"type": "ics23:iavl"}]}}, ChainUnreachable),
        ({"value": "not base 64"}, ChainUnreachable),
        ({"code": "x"}, ChainUnreachable),
    ],
)
async def test_an_answer_that_cannot_be_has_its_own_error(
    changes: dict[str, Any], error: type[Exception]
) -> None:
    application = Application()
    application.changes = changes
    async with endpoint(application) as node:
        with pytest.raises(error):
            await prove(node, CHAIN, "ibc", (b"key",), 7)


async def test_a_value_of_another_state_is_a_lie() -> None:
    application = Application()
    application.changes = {"height": "8"}
    async with endpoint(application) as node:
        with pytest.raises(RecordCorrupt):
            await query_all(node, CHAIN, "store/ibc/key", (b"key",), 7)


def refuse_after(count: int, answer: Callable[[dict[str, Any]], Any]) -> Callable[[Any], Any]:
    left = [count]

    def answer_or_refuse(params: dict[str, Any]) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise CallFailed
        return answer(params)

    return answer_or_refuse


async def test_a_node_that_refuses_to_ask_the_application_gave_no_answer() -> None:
    application = Application()
    application.methods["abci_query"] = refuse_after(0, application.answer)
    async with endpoint(application) as node:
        with pytest.raises(ChainUnreachable):
            await query_all(node, CHAIN, "store/ibc/key", (b"key",), 7)
        application.methods["abci_query"] = refuse_after(1, application.answer)
        with pytest.raises(ChainUnreachable):
            await prove(node, CHAIN, "ibc", (b"key",), 4)
