from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.simchain.queries import client_view
from hub.core.errors import (
    AdapterOffline,
    ChainUnreachable,
    ClientNotFound,
    ClientPending,
    ConsensusStateMissing,
    FrameInvalid,
    HubError,
    LimitExceeded,
    TrustExpired,
)
from hub.core.height import Height
from hub.core.ids import ClientId
from hub.core.time import Timestamp
from relayer import chain_clients
from relayer.chain_clients import MAX_HEIGHTS, read_heights
from relayer.recent import RecentHeaders
from tests.harness.exchange import HANGZHOU, SUZHOU
from tests.harness.simchain import TRUST, steps_between
from tests.harness.station import Station, proto_height

if TYPE_CHECKING:
    from collections.abc import Callable

    from relayer.chain_clients import ChainClients

    Lie = Callable[[pb.ClientMirror], None]


def clients(board: Station) -> ChainClients:
    """The clients on the right's chain, which verify the left's."""
    return board.board.clients_of(SUZHOU)


def client(board: Station) -> ClientId:
    return board.exchange.key.destination_client


def trusted(board: Station) -> tuple[int, ...]:
    """Heights that the right's client trusts indeed."""
    return client_view(board.right.chain, client(board)).heights


async def updates(board: Station, target: int, now: Timestamp | None = None) -> list[pb.UpdateStep]:
    source = await board.keeper(HANGZHOU)
    return await clients(board).updates(client(board), source, target, now or board.clock.now())


def lying(board: Station, lie: Lie) -> None:
    """The right's adapter shows its client, but for a change."""

    def answer(request: pb.Request) -> pb.Answer | None:
        if request.WhichOneof("body") != "client":
            return None
        found = board.right.clients(request.client.client)
        for mirror in found.clients.clients:
            lie(mirror)
        return found

    board.right.answers = answer


class TestMirrors:
    async def test_a_root_from_before_its_chains_client_started_again_proves_nothing(
        self, wired: Station
    ) -> None:
        keeper = await wired.keeper(SUZHOU)
        later = Height(1, wired.right.chain.height + 1)
        anchor = replace(keeper.hub_client.anchor, height=later)
        keeper.hub_client = replace(keeper.hub_client, anchor=anchor)
        with pytest.raises(ConsensusStateMissing):
            await clients(wired).mirror(client(wired))

    async def test_a_client_is_asked_for_once_and_proven(self, wired: Station) -> None:
        mirror = await clients(wired).mirror(client(wired))
        assert await clients(wired).mirror(client(wired)) is mirror
        assert len(wired.right.requests) == 1
        assert mirror.client == client(wired)
        assert mirror.state.chain_id == wired.left.chain.config.chain_id
        assert mirror.state.options.trusting_period == TRUST.trusting_period
        assert mirror.counterparty is not None
        assert mirror.counterparty.client == wired.exchange.key.source_client
        assert mirror.trusted == trusted(wired)
        assert mirror.pending_height == 0

    async def test_what_the_registry_keeps_of_it(self, wired: Station) -> None:
        mirror = await clients(wired).mirror(client(wired))
        record = mirror.record(SUZHOU)
        assert record is not None
        assert (record.peer, record.client, record.is_frozen) == (SUZHOU, client(wired), False)
        assert record.latest_height == Height(1, trusted(wired)[-1])

    async def test_it_is_asked_for_again_once_forgotten(self, wired: Station) -> None:
        await clients(wired).mirror(client(wired))
        clients(wired).forget(client(wired))
        await clients(wired).mirror(client(wired))
        assert len(wired.right.requests) == 2

    async def test_a_client_that_does_not_exist(self, wired: Station) -> None:
        with pytest.raises(ChainUnreachable):
            await clients(wired).mirror(ClientId("07-tendermint-9"))
        wired.right.answers = lambda _: pb.Answer(clients=pb.ClientAnswer())
        with pytest.raises(ClientNotFound):
            await clients(wired).mirror(client(wired))

    async def test_another_client_than_was_asked_for_is_not_taken_for_it(
        self, wired: Station
    ) -> None:
        truth = wired.right.clients(client(wired))
        wired.right.answers = lambda _: truth
        with pytest.raises(FrameInvalid):
            await clients(wired).mirror(ClientId("07-tendermint-9"))
        assert clients(wired)._mirrors == {}

    async def test_more_clients_than_one_are_not_taken(self, wired: Station) -> None:
        """Nor kept: an adapter names as many as it likes."""
        one = wired.right.clients(client(wired)).clients.clients[0]
        many = pb.ClientAnswer(clients=[one] * 3)
        wired.right.answers = lambda _: pb.Answer(clients=many)
        with pytest.raises(FrameInvalid):
            await clients(wired).mirror(client(wired))
        assert clients(wired)._mirrors == {}

    @pytest.mark.parametrize(
        "lie",
        [
            lambda mirror: mirror.proof_height.CopyFrom(proto_height(3)),
            lambda mirror: mirror.proof_height.CopyFrom(proto_height(0)),
            lambda mirror: mirror.proof_height.CopyFrom(proto_height(900)),
            lambda mirror: mirror.__setattr__("client_state", mirror.client_state[:-1]),
            lambda mirror: mirror.__setattr__("client_state", b""),
            lambda mirror: mirror.__setattr__("client_state_proof", b""),
            lambda mirror: mirror.__setattr__("counterparty", b"\xff\xff"),
            lambda mirror: mirror.__setattr__("counterparty_proof", b""),
            lambda mirror: mirror.__setattr__("client", "no client id"),
            lambda mirror: mirror.trusted_heights.add(),
            lambda mirror: mirror.trusted_heights.extend([proto_height(5)] * 80),
            lambda mirror: mirror.pending_height.CopyFrom(proto_height(2**64 - 1)),
        ],
        ids=[
            "stale height",
            "no height",
            "a height that does not exist",
            "cut state",
            "no state",
            "no proof",
            "no counterparty's bytes",
            "no proof of the counterparty",
            "no client id",
            "height zero",
            "too many heights",
            "height over 63 bits",
        ],
    )
    async def test_a_mirror_that_lies_is_refused(self, wired: Station, lie: Lie) -> None:
        lying(wired, lie)
        with pytest.raises(HubError):
            await clients(wired).mirror(client(wired))
        assert clients(wired)._mirrors == {}


class TestUpdates:
    async def test_none_are_needed_where_the_height_is_trusted(self, wired: Station) -> None:
        assert await updates(wired, trusted(wired)[-1]) == []

    async def test_one_step_where_trust_reaches(self, wired: Station) -> None:
        wired.exchange.grow(1)
        await wired.know()
        target, last = wired.left.chain.height, trusted(wired)[-1]
        [step] = await updates(wired, target)
        assert step.trusted_height == proto_height(last)
        assert step.header.content == wired.left.chain.light_block(target).header.content
        schedule = wired.left.chain.config.schedule
        assert step.trusted_validators == schedule.at(last + 1).content

    async def test_as_few_as_halving_finds_where_the_validators_changed(
        self, wired: Station
    ) -> None:
        wired.exchange.grow(60)
        await wired.know()
        target = wired.left.chain.height
        planned = await updates(wired, target)
        best = steps_between(wired.left.chain, trusted(wired)[-1], target)
        assert [step.trusted_height.number for step in planned] == [
            step.trusted_height.number for step in best
        ]
        assert 1 < len(planned) < 10

    async def test_the_chains_own_client_follows_them(self, wired: Station) -> None:
        wired.exchange.grow(60)
        await wired.know()
        target = wired.left.chain.height
        execution = pb.Execution(
            execution_id=1, client=client(wired), updates=await updates(wired, target)
        )
        report = wired.right.execute(execution)
        assert not report.refused
        assert target in trusted(wired)

    async def test_headers_that_the_hub_lacks_are_asked_of_the_source(self, wired: Station) -> None:
        wired.exchange.grow(60)
        target = wired.left.chain.height
        keeper = await wired.keeper(HANGZHOU)
        await keeper.add([wired.left.chain.light_block(target).header])
        wired.left.requests.clear()
        assert len(await updates(wired, target)) > 1
        assert any(one.WhichOneof("body") == "headers" for one in wired.left.requests)
        keeper.detach(wired.left.session)
        wired.registry.state.headers[HANGZHOU] = {
            height: kept
            for height, kept in wired.registry.state.headers[HANGZHOU].items()
            if height == target
        }
        keeper._recent = RecentHeaders(wired.registry.clients, HANGZHOU)
        clients(wired).forget(client(wired))
        with pytest.raises(AdapterOffline):
            await updates(wired, target)

    async def test_what_is_on_its_way_counts_as_trusted(self, wired: Station) -> None:
        wired.exchange.grow(2)
        await wired.know()
        target = wired.left.chain.height
        assert len(await updates(wired, target - 1)) == 1
        assert await updates(wired, target - 1) == []
        [step] = await updates(wired, target)
        assert step.trusted_height.number == target - 1

    async def test_what_is_assumed_stays_bounded(self, wired: Station) -> None:
        wired.exchange.grow(MAX_HEIGHTS + 20)
        await wired.know()
        for height in range(trusted(wired)[-1] + 1, wired.left.chain.height + 1):
            await updates(wired, height)
        mirror = await clients(wired).mirror(client(wired))
        assert len(mirror.trusted) == MAX_HEIGHTS
        assert mirror.trusted[-1] == wired.left.chain.height

    async def test_a_report_tells_what_is_trusted(self, wired: Station) -> None:
        await clients(wired).mirror(client(wired))
        clients(wired).reported(client(wired), [Height(1, 9), Height(1, 4), Height(1, 9)])
        assert (await clients(wired).mirror(client(wired))).trusted == (4, 9)
        clients(wired).reported(client(wired), [])
        assert (await clients(wired).mirror(client(wired))).trusted == (4, 9)
        clients(wired).reported(ClientId("07-tendermint-9"), [Height(1, 9)])
        assert list(clients(wired)._mirrors) == [client(wired)]

    async def test_an_expired_client_cannot_be_updated(self, wired: Station) -> None:
        wired.exchange.grow(1)
        await wired.know()
        last = wired.left.chain.light_block(trusted(wired)[-1]).signed.header.time
        expires_at = Timestamp(last + TRUST.trusting_period)
        with pytest.raises(TrustExpired) as caught:
            await updates(wired, wired.left.chain.height, expires_at)
        assert caught.value.expires_at == expires_at
        before = Timestamp(expires_at - 1)
        assert len(await updates(wired, wired.left.chain.height, before)) == 1

    async def test_a_height_below_all_that_is_trusted_cannot_be_reached(
        self, wired: Station
    ) -> None:
        lowest = trusted(wired)[0]
        assert await clients(wired).reaches(client(wired), lowest)
        assert await clients(wired).reaches(client(wired), lowest + 100)
        assert not await clients(wired).reaches(client(wired), lowest - 1)
        with pytest.raises(ClientPending):
            await updates(wired, lowest - 1)

    async def test_a_client_that_waits_for_its_anchor_is_given_that_header_first(
        self, wired: Station
    ) -> None:
        anchor = 4

        def pend(mirror: pb.ClientMirror) -> None:
            mirror.ClearField("trusted_heights")
            mirror.pending_height.CopyFrom(proto_height(anchor))

        lying(wired, pend)
        first, *rest = await updates(wired, wired.left.chain.height)
        assert not first.HasField("trusted_height")
        assert first.header.content == wired.left.chain.light_block(anchor).header.content
        assert [step.trusted_height.number for step in rest][:1] == [anchor]
        clients(wired).forget(client(wired))
        assert not await clients(wired).reaches(client(wired), anchor - 1)
        with pytest.raises(ClientPending) as caught:
            await updates(wired, anchor - 1)
        assert caught.value.height == anchor


class TestLies:
    """What an adapter says that its client trusts is a hint: a lie costs an attempt, no more."""

    async def test_a_trusted_height_below_the_hubs_anchor_is_read_from_the_source(
        self, wired: Station
    ) -> None:
        def lie(mirror: pb.ClientMirror) -> None:
            mirror.ClearField("trusted_heights")
            mirror.trusted_heights.append(proto_height(1))

        lying(wired, lie)
        [step, *_] = await updates(wired, wired.left.chain.height)
        assert step.trusted_height.number == 1

    async def test_a_source_that_answers_with_another_height_ends_the_plan(
        self, wired: Station
    ) -> None:
        """Else the plan would go downwards from there, and never end."""

        def lie(mirror: pb.ClientMirror) -> None:
            mirror.ClearField("trusted_heights")
            mirror.trusted_heights.append(proto_height(1))

        lying(wired, lie)
        other = wired.left.chain.light_block(wired.left.chain.height).header

        async def claim(request: pb.Request) -> pb.Answer:
            batch = pb.HeaderBatch(validator_sets=[other.validators])
            batch.headers.add(content=other.content)
            return pb.Answer(headers=batch)

        answer = await claim(pb.Request())
        wired.left.answers = lambda _: answer
        with pytest.raises(FrameInvalid):
            await updates(wired, 5)

    async def test_heights_beyond_the_chains_own_reach_nothing(self, wired: Station) -> None:
        def lie(mirror: pb.ClientMirror) -> None:
            mirror.ClearField("trusted_heights")
            mirror.trusted_heights.append(proto_height(2**62))

        lying(wired, lie)
        with pytest.raises(ClientPending):
            await updates(wired, wired.left.chain.height)

    async def test_a_height_that_the_source_never_had_ends_the_plan(self, wired: Station) -> None:
        def lie(mirror: pb.ClientMirror) -> None:
            mirror.ClearField("trusted_heights")
            mirror.trusted_heights.append(proto_height(500))

        lying(wired, lie)
        with pytest.raises(ChainUnreachable):
            await updates(wired, 600)

    async def test_a_target_that_is_not_verified_ends_the_plan(self, wired: Station) -> None:
        with pytest.raises((ConsensusStateMissing, ChainUnreachable)):
            await updates(wired, 600)


class TestFarBehind:
    """A client that needs more updates than one execution holds is led nearer by others first."""

    @pytest.mark.parametrize(("limit", "value"), [("MAX_STEPS", 2), ("MAX_BYTES", 1)])
    async def test_it_is_led_by_executions_of_updates_alone(
        self, wired: Station, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
    ) -> None:
        wired.exchange.grow(90)
        await wired.know()
        target = wired.left.chain.height
        whole = len(await updates(wired, target))
        clients(wired).forget(client(wired))
        monkeypatch.setattr(chain_clients, limit, value)
        last = await updates(wired, target)
        steps = [len(execution.updates) for execution in wired.right.executions]
        assert max([*steps, len(last)]) <= (2 if limit == "MAX_STEPS" else 1)
        assert sum(steps) + len(last) == whole
        assert {one.WhichOneof("action") for one in wired.right.executions} == {None}
        final = pb.Execution(execution_id=99, client=client(wired), updates=last)
        assert not wired.right.execute(final).refused
        assert target in trusted(wired)

    async def test_where_that_is_refused_the_client_is_asked_for_again(
        self, wired: Station, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wired.exchange.grow(90)
        await wired.know()
        monkeypatch.setattr(chain_clients, "MAX_STEPS", 2)
        refusal = pb.Refusal(reason="BACKLOG_FULL", detail="later", retryable=True)
        wired.right.reports = lambda _: pb.ExecutionReport(refused=[refusal])
        with pytest.raises(ChainUnreachable):
            await updates(wired, wired.left.chain.height)
        assert clients(wired)._mirrors == {}

    async def test_an_adapter_that_only_says_so_is_not_led_for_ever(
        self, wired: Station, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wired.exchange.grow(90)
        await wired.know()
        monkeypatch.setattr(chain_clients, "MAX_STEPS", 2)
        monkeypatch.setattr(chain_clients, "MAX_LEGS", 5)
        wired.right.reports = lambda _: pb.ExecutionReport()
        with pytest.raises(LimitExceeded):
            await updates(wired, wired.left.chain.height)
        assert len(wired.right.executions) == 5


def test_heights_are_read_and_bounded() -> None:
    assert read_heights([proto_height(3), proto_height(5, 2)]) == [Height(1, 3), Height(2, 5)]
    with pytest.raises(LimitExceeded):
        read_heights([proto_height(1)] * (MAX_HEIGHTS + 1))
