from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from ydhub.simchain.v1 import simchain_service_pb2 as pb
from ydhub.simchain.v1 import simchain_service_pb2_grpc as grpc_service

from adapters.sdk.accepted_log import AcceptedLog
from adapters.sdk.submission import Refusal, Verdict
from adapters.simchain.codec import encode_transaction, transaction_hash
from adapters.simchain.messages import Transaction
from adapters.simchain.misbehave import Misbehaviour
from adapters.simchain.service import Adapter, Owner, SimchainService
from hub.core.errors import AdapterOffline, HubError, Reason
from hub.core.ids import PeerId
from hub.core.lane import LaneKey, Side
from hub.core.ranges import RangeSet
from hub.core.time import Timestamp, whole_seconds
from hub.wire.anchors import anchor_from_proto
from hub.wire.status import from_rpc_error
from tests.harness.certificates import TRUST_DOMAIN, Certificates
from tests.harness.simchain import TRUST, holds
from tests.harness.simchain_process import user
from tests.harness.simcity import TwoCities

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from hub.core.ids import ClientId


class Offender:
    """Stands for the chain's session: it answers what a test says."""

    def __init__(self) -> None:
        self.answer: Verdict | Exception = Verdict(frame_id=1)
        self.asked: list[tuple[Misbehaviour, ClientId | None]] = []

    async def commit(self, kind: Misbehaviour, client: ClientId | None) -> Verdict:
        self.asked.append((kind, client))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Served:
    """A chain whose service is served, and blocks made while somebody asks."""

    def __init__(self, cities: TwoCities, log: AcceptedLog, certificates: Certificates) -> None:
        self.cities = cities
        self.log = log
        self.certificates = certificates
        self.offender = Offender()
        self.port = 0
        self.has_adapter = True

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Served]:
        owner = Owner(peer=PeerId("hangzhou"), trust_domain=TRUST_DOMAIN, trust_options=TRUST)
        left = self.cities.left
        adapter = Adapter(self.offender, self.log) if self.has_adapter else None
        service = SimchainService(left.node, owner, adapter, self.cities.clock)
        server = grpc.aio.server()
        grpc_service.add_SimchainServiceServicer_to_server(service, server)
        credentials = self.certificates.server("/peers/hangzhou")
        self.port = server.add_secure_port("127.0.0.1:0", credentials)
        await server.start()
        try:
            yield self
        finally:
            await server.stop(None)

    async def ask(self, method: str, request: object, identity: str = "/admins/ada") -> Any:
        async with user(self.certificates, self.port, identity) as stub:
            call = asyncio.ensure_future(getattr(stub, method)(request))
            while not call.done():
                await self.cities.advance()
                await asyncio.wait([call], timeout=0.01)
            return await call

    async def first(self, request: pb.FollowBlocksRequest, identity: str = "/admins/ada") -> Any:
        """What a stream of blocks begins with."""
        async with user(self.certificates, self.port, identity) as stub:
            return await stub.FollowBlocks(request).read()

    async def refused(self, method: str, request: object, identity: str = "/admins/ada") -> Reason:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.ask(method, request, identity)
        reason = from_rpc_error(caught.value).reason
        assert reason is not None
        return reason


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    cities = await TwoCities().open()
    log = AcceptedLog(tmp_path / "accepted.jsonl")
    async with Served(cities, log, Certificates.make(tmp_path / "certs")).serving() as served:
        yield served
    log.close()


def transfer(served: Served, **changes: object) -> pb.SendTransferRequest:
    values = {
        "client": served.cities.left.client,
        "sender": "alice",
        "receiver": "bob",
        "denomination": "hangzhoucoin",
        "amount": 3,
        "timeout_seconds": 600,
        **changes,
    }
    return pb.SendTransferRequest(**values)  # type: ignore[arg-type]


async def test_transfers_are_sent_in_one_block(served: Served) -> None:
    left = served.cities.left
    response = await served.ask("SendTransfer", transfer(served, count=5, memo="rent"))
    assert (response.first_sequence, response.last_sequence) == (1, 5)
    assert response.counterparty_client == served.cities.right.client
    assert holds(left.chain, "alice", "hangzhoucoin") == 1_000_000 - 15
    assert {sent.height for sent in left.chain.ledger.pending(left.client)} == {response.height}
    response = await served.ask("SendTransfer", transfer(served))
    assert (response.first_sequence, response.last_sequence) == (6, 6)


async def test_the_timeout_runs_from_the_blocks_time(served: Served) -> None:
    left = served.cities.left
    before = whole_seconds(left.chain.time)
    await served.ask("SendTransfer", transfer(served, timeout_seconds=100))
    [sent] = left.chain.ledger.pending(left.client)
    assert before + 100 <= sent.packet.timeout_timestamp <= before + 105


async def test_transfers_of_one_account_at_once_are_all_sent(served: Served) -> None:
    async with user(served.certificates, served.port) as stub:
        calls = [
            asyncio.ensure_future(stub.SendTransfer(transfer(served, count=2))) for _ in range(4)
        ]
        while not all(call.done() for call in calls):
            await served.cities.advance()
            await asyncio.wait(calls, timeout=0.01)
        firsts = sorted([call.result().first_sequence for call in calls])
    assert firsts == [1, 3, 5, 7]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"client": "nobody"}, Reason.IDENTIFIER_INVALID),
        ({"client": "07-tendermint-9"}, Reason.CLIENT_NOT_FOUND),
        ({"amount": 0}, Reason.FIELD_INVALID),
        ({"amount": 10_000_000}, Reason.FIELD_INVALID),
        ({"amount": 600_000, "count": 2}, Reason.FIELD_INVALID),
        ({"sender": ""}, Reason.FIELD_INVALID),
        ({"denomination": ""}, Reason.FIELD_INVALID),
        ({"timeout_seconds": 0}, Reason.FIELD_INVALID),
        ({"timeout_seconds": 86_401}, Reason.FIELD_INVALID),
        ({"count": 10_001}, Reason.FIELD_INVALID),
        ({"memo": "x" * 257}, Reason.FIELD_INVALID),
        ({"source_port": "x"}, Reason.IDENTIFIER_INVALID),
        ({"source_port": "nothing"}, Reason.FIELD_INVALID),
    ],
)
async def test_a_transfer_that_breaks_a_rule_is_refused_and_sends_nothing(
    served: Served, changes: dict[str, object], reason: Reason
) -> None:
    assert await served.refused("SendTransfer", transfer(served, **changes)) == reason
    left = served.cities.left
    assert list(left.chain.ledger.pending(left.client)) == []
    assert holds(left.chain, "alice", "hangzhoucoin") == 1_000_000


async def test_the_ledger_counts_the_accepted_answers_of_the_adapters_own_log(
    served: Served,
) -> None:
    left, right = served.cities.left, served.cities.right
    lane = LaneKey(PeerId("hangzhou"), left.client, PeerId("suzhou"), right.client)
    numbers = RangeSet.span(1, 8)
    for key, side in ((lane, Side.SOURCE), (lane.reverse, Side.DESTINATION)):
        served.log.append(relayer="r", lane=key, side=side, sequences=numbers, at=Timestamp(1))
    ledger = await served.ask("GetLedger", pb.GetLedgerRequest(totals_only=True))
    assert (ledger.chain_id, ledger.accepted_answers) == ("hangzhou-1", 7)
    assert ledger.has_adapter


async def test_the_anchor_is_the_newest_blocks(served: Served) -> None:
    response = await served.ask("GetAnchor", pb.GetAnchorRequest())
    anchor = anchor_from_proto(response.anchor, "anchor")
    block = served.cities.left.chain.light_block(anchor.height.number)
    assert (anchor.header_hash, anchor.options) == (block.hash, TRUST)


class TestMisbehaviour:
    @pytest.mark.parametrize(
        ("verdict", "expected"),
        [
            (
                Verdict(
                    frame_id=1,
                    refused=(
                        Refusal(
                            sequence=0, reason="QUORUM_NOT_REACHED", detail="why", retryable=False
                        ),
                    ),
                ),
                pb.MisbehaveResponse(reason="QUORUM_NOT_REACHED", detail="why"),
            ),
            (
                Verdict(frame_id=1, already_done=RangeSet.span(1, 4)),
                pb.MisbehaveResponse(detail="3 accepted before"),
            ),
            (
                Verdict(frame_id=1, accepted=RangeSet.span(1, 4)),
                pb.MisbehaveResponse(detail="accepted"),
            ),
        ],
        ids=["refused", "accepted before", "accepted"],
    )
    async def test_the_relayers_verdict_is_told(
        self, served: Served, verdict: Verdict, expected: pb.MisbehaveResponse
    ) -> None:
        served.offender.answer = verdict
        client = served.cities.left.client
        kind = pb.MisbehaveRequest.KIND_REPLAY
        request = pb.MisbehaveRequest(kind=kind, client=client)
        assert await served.ask("Misbehave", request) == expected
        assert served.offender.asked == [(Misbehaviour.REPLAY, client)]

    async def test_a_kind_that_lasts_is_turned_on_and_off(self, served: Served) -> None:
        switches = served.cities.left.node.switches
        kind = pb.MisbehaveRequest.KIND_REORDER
        request = pb.MisbehaveRequest(kind=kind, duration_ms=600_000)
        assert await served.ask("Misbehave", request) == pb.MisbehaveResponse(detail="for 10m")
        assert switches.is_reordering
        request = pb.MisbehaveRequest(kind=kind)
        assert await served.ask("Misbehave", request) == pb.MisbehaveResponse(detail="for 0s")
        assert not switches.is_reordering
        assert served.offender.asked == []

    async def test_a_duration_over_ten_minutes_is_refused(self, served: Served) -> None:
        kind = pb.MisbehaveRequest.KIND_STALL
        request = pb.MisbehaveRequest(kind=kind, duration_ms=600_001)
        assert await served.refused("Misbehave", request) == Reason.FIELD_INVALID

    async def test_a_kind_that_is_none_is_refused(self, served: Served) -> None:
        assert await served.refused("Misbehave", pb.MisbehaveRequest()) == Reason.FIELD_INVALID

    @pytest.mark.parametrize(
        ("failure", "reason"),
        [
            (AdapterOffline(peer="hangzhou-1"), Reason.ADAPTER_OFFLINE),
            (RuntimeError("a bug"), Reason.INTERNAL),
        ],
    )
    async def test_a_failure_is_told_with_its_reason(
        self, served: Served, failure: HubError | RuntimeError, reason: Reason
    ) -> None:
        served.offender.answer = failure
        request = pb.MisbehaveRequest(kind=pb.MisbehaveRequest.KIND_EQUIVOCATE)
        assert await served.refused("Misbehave", request) == reason


class TestOtherNodes:
    async def test_blocks_are_told_from_a_height_on(self, served: Served) -> None:
        chain = served.cities.left.chain
        said = await served.first(pb.FollowBlocksRequest(from_height=2))
        assert said.height == chain.height
        assert [part.record for part in said.parts] == [
            chain.record(height) for height in range(2, chain.height + 1)
        ]

    @pytest.mark.parametrize(
        ("height", "reason"),
        [
            (0, Reason.FIELD_INVALID),
            (10_000, Reason.HEADER_NOT_FOUND),
            (2**64 - 1, Reason.HEADER_NOT_FOUND),
        ],
    )
    async def test_a_height_that_is_not_there_is_refused(
        self, served: Served, height: int, reason: Reason
    ) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await served.first(pb.FollowBlocksRequest(from_height=height))
        assert from_rpc_error(caught.value).reason == reason

    @pytest.mark.parametrize("identity", ["/peers/suzhou", "/relayers/one", "/hub"])
    async def test_strangers_follow_nothing(self, served: Served, identity: str) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await served.first(pb.FollowBlocksRequest(from_height=1), identity)
        assert from_rpc_error(caught.value).reason == Reason.IDENTITY_NOT_ALLOWED

    async def test_a_transaction_is_in_the_block_that_was_named_and_once(
        self, served: Served
    ) -> None:
        chain = served.cities.left.chain
        transaction = Transaction(signer="relayer", nonce=0, messages=())
        request = pb.SubmitTransactionRequest(transaction=encode_transaction(transaction))
        async with user(served.certificates, served.port, "/peers/hangzhou") as stub:
            answers = [await stub.SubmitTransaction(request) for _ in range(2)]
        assert [answer.height for answer in answers] == [chain.height + 1] * 2
        await served.cities.advance()
        block = chain.block(answers[0].height)
        assert block is not None
        tx_hash = transaction_hash(request.transaction)
        assert [result.tx_hash for result in block.results] == [tx_hash]

    @pytest.mark.parametrize("data", [b"", b"garbage", b"\x1a\x00", b"\x0a\x01r\x20\x01"])
    async def test_what_is_no_transaction_is_refused_and_never_waits(
        self, served: Served, data: bytes
    ) -> None:
        request = pb.SubmitTransactionRequest(transaction=data)
        assert await served.refused("SubmitTransaction", request) == Reason.FIELD_INVALID
        chain = served.cities.left.chain
        assert not chain.is_pending(transaction_hash(data))

    async def test_a_full_mempool_refuses(self, served: Served) -> None:
        chain = served.cities.left.chain
        chain.config = replace(chain.config, max_pending=1)
        data = [
            encode_transaction(Transaction(signer=signer, nonce=0, messages=()))
            for signer in ("one", "two")
        ]
        async with user(served.certificates, served.port) as stub:
            await stub.SubmitTransaction(pb.SubmitTransactionRequest(transaction=data[0]))
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.SubmitTransaction(pb.SubmitTransactionRequest(transaction=data[1]))
        error = from_rpc_error(caught.value)
        assert (error.reason, error.metadata["limit"]) == (Reason.BACKLOG_FULL, "1")


class TestWithoutAnAdapter:
    @pytest.fixture
    async def chain_alone(self, tmp_path: Path) -> AsyncIterator[Served]:
        cities = await TwoCities().open()
        log = AcceptedLog(tmp_path / "accepted.jsonl")
        made = Served(cities, log, Certificates.make(tmp_path / "certs"))
        made.has_adapter = False
        async with made.serving() as served:
            yield served
        log.close()

    async def test_the_ledger_says_that_it_knows_no_accepted_answers(
        self, chain_alone: Served
    ) -> None:
        ledger = await chain_alone.ask("GetLedger", pb.GetLedgerRequest(totals_only=True))
        assert (ledger.has_adapter, ledger.accepted_answers) == (False, 0)

    @pytest.mark.parametrize("kind", ["EQUIVOCATE", "FORGE_HEADER", "FORGE_PROOF", "REPLAY"])
    async def test_what_needs_the_adapters_connection_is_refused(
        self, chain_alone: Served, kind: str
    ) -> None:
        request = pb.MisbehaveRequest(kind=pb.MisbehaveRequest.Kind.Value(f"KIND_{kind}"))
        assert await chain_alone.refused("Misbehave", request) == Reason.FIELD_INVALID
        assert chain_alone.offender.asked == []


@pytest.mark.parametrize(
    "method", ["SendTransfer", "GetLedger", "GetAnchor", "Misbehave", "SubmitTransaction"]
)
@pytest.mark.parametrize("identity", ["/peers/suzhou", "/relayers/one", "/hub"])
async def test_only_administrators_and_the_chains_own_peer_may_call(
    served: Served, method: str, identity: str
) -> None:
    request = getattr(pb, f"{method}Request")()
    assert await served.refused(method, request, identity) == Reason.IDENTITY_NOT_ALLOWED


async def test_the_chains_own_peer_may_call(served: Served) -> None:
    assert await served.ask("GetAnchor", pb.GetAnchorRequest(), "/peers/hangzhou")
