from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from ydhub.client.v1 import client_pb2
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.sdk.wire.encode import anchor_header_needed, headers_answer
from adapters.simchain.queries import client_view
from hub.core.errors import RegistryUnreachable
from hub.core.height import Height
from hub.core.ids import ChainId, ClientId
from hub.core.lane import LaneKey, LaneState, Order
from hub.core.time import Timestamp
from hub.ports.lanes import Opening, OpeningPlan, OpeningState
from relayer.openings import Openings
from relayer.session import ANSWER_WITHIN
from tests.harness.clock import until
from tests.harness.exchange import ADMIN, ANCHOR_HEIGHT, HANGZHOU, SUZHOU
from tests.harness.simchain import TRANSFER, TRUST
from tests.harness.station import Station, open_all, proto_height, station

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from hub.core.client import ConsensusState
    from hub.core.ids import PeerId
    from tests.harness.station import ScriptedAdapter

ROUTES = ((TRANSFER, TRANSFER),)


@pytest.fixture
async def unopened() -> AsyncIterator[Station]:
    """Both adapters are attached; no lane is open."""
    async with station(opened=False) as found:
        yield await found.wire()


def plan(**changes: Any) -> OpeningPlan:
    values: dict[str, Any] = {
        "source": HANGZHOU,
        "destination": SUZHOU,
        "source_client": None,
        "destination_client": None,
        "from_sequence": 0,
        "order": Order.UNORDERED,
        "allow_routes": ROUTES,
    }
    return OpeningPlan(**{**values, **changes})


async def opened(board: Station, **changes: Any) -> Opening:
    """The opening of a plan, after one try."""
    opening = await board.registry.lanes.start_opening(plan(**changes), ADMIN)
    await open_all(board.board, {HANGZHOU, SUZHOU})
    return await board.registry.lanes.opening(opening.number)


def kinds(adapter: Any) -> list[str]:
    return [str(request.WhichOneof("body")) for request in adapter.requests]


def existing(board: Station) -> LaneKey:
    """The lane over the pair of clients that stands already."""
    return board.exchange.key


class TestCreated:
    async def test_both_clients_are_created_bound_taught_and_the_lanes_open(
        self, unopened: Station
    ) -> None:
        opening = await opened(unopened)
        assert (opening.state, opening.reason) == (OpeningState.DONE, "")
        out, back = opening.lanes
        assert back == out.reverse
        for key in opening.lanes:
            lane = await unopened.registry.lanes.get(key)
            assert (lane.state, lane.first_sequence, lane.order) == (
                LaneState.OPEN,
                1,
                Order.UNORDERED,
            )
            assert len(await unopened.registry.lanes.routes(key)) == 1
        for adapter, client in (
            (unopened.left, out.source_client),
            (unopened.right, out.destination_client),
        ):
            assert client_view(adapter.chain, client).heights
            created = [r.create_client for r in adapter.requests if r.HasField("create_client")]
            assert [one.opening for one in created] == [opening.name]

    async def test_what_was_cut_off_goes_on_where_it_stopped(self, unopened: Station) -> None:
        refused = pb.Answer(refusal=pb.Refusal(reason="CHAIN_UNREACHABLE", retryable=True))
        unopened.right.answers = lambda request: (
            refused if request.WhichOneof("body") == "register_counterparty" else None
        )
        opening = await opened(unopened)
        assert (opening.state, opening.step) == (OpeningState.RUNNING, "trying again")
        assert opening.reason == "CHAIN_UNREACHABLE"
        unopened.right.answers = lambda _: None
        await open_all(unopened.board, {HANGZHOU, SUZHOU})
        done = await unopened.registry.lanes.opening(opening.number)
        assert done.state is OpeningState.DONE
        # The pair that stood before, and one client more on each chain.
        assert {lane.source_client for lane in done.lanes} == {"07-tendermint-1"}

    async def test_an_ordered_pair_is_declared_by_both_gateways(self, unopened: Station) -> None:
        opening = await opened(unopened, order=Order.ENFORCED)
        assert opening.state is OpeningState.DONE
        assert (await unopened.registry.lanes.get(opening.lanes[0])).order is Order.ENFORCED

    @pytest.mark.parametrize("end", [HANGZHOU, SUZHOU])
    async def test_order_is_not_enforced_where_one_of_the_gateways_cannot(
        self, unopened: Station, end: PeerId
    ) -> None:
        unopened.adapters[end].session.hello.order_enforceable = False
        opening = await opened(unopened, order=Order.ENFORCED)
        assert (opening.state, opening.reason) == (OpeningState.FAILED, "FIELD_INVALID")
        assert opening.detail == (
            f"order enforced is more than the gateway on {end}-1 of peers/{end} can do; "
            "best-effort is what it offers"
        )
        assert unopened.left.requests == unopened.right.requests == []
        opening = await opened(unopened, order=Order.BEST_EFFORT)
        assert opening.state is OpeningState.DONE

    async def test_it_waits_until_the_source_is_attached_here_and_the_other_end_somewhere(
        self, unopened: Station
    ) -> None:
        opening = await unopened.registry.lanes.start_opening(plan(), ADMIN)
        for fence in unopened.exchange.fences.values():
            await unopened.registry.leases.release(fence)
        await open_all(unopened.board, {HANGZHOU})
        await open_all(unopened.board, {SUZHOU})
        assert unopened.left.requests == []
        assert (await unopened.registry.lanes.opening(opening.number)).step == ""


class TestAnchorHeader:
    """A chain that creates a client only together with the header that its anchor names."""

    async def test_an_adapter_that_asks_for_it_is_given_it(self, unopened: Station) -> None:
        unopened.right.needs_anchor_header = True
        opening = await opened(unopened)
        assert opening.state is OpeningState.DONE
        named = unopened.left.chain.light_block(ANCHOR_HEIGHT).header
        assert (unopened.right.anchor_headers, unopened.left.anchor_headers) == ([named], [])
        assert kinds(unopened.right).count("create_client") == 2

    async def test_a_header_below_the_hubs_own_anchor_is_asked_of_its_chain(
        self, unopened: Station
    ) -> None:
        asks_for(unopened.right, proto_height(ANCHOR_HEIGHT - 1))
        opening = await opened(unopened)
        assert opening.state is OpeningState.DONE
        named = unopened.left.chain.light_block(ANCHOR_HEIGHT - 1).header
        assert unopened.right.anchor_headers == [named]

    async def test_one_that_asks_for_it_again_and_again_opens_nothing(
        self, unopened: Station
    ) -> None:
        needed = anchor_header_needed(Height(1, ANCHOR_HEIGHT))
        unopened.right.answers = lambda request: (
            needed if request.HasField("create_client") else None
        )
        opening = await opened(unopened)
        assert (opening.state, opening.reason) == (OpeningState.FAILED, "FRAME_INVALID")
        assert kinds(unopened.right) == ["create_client"] * 2
        assert unopened.registry.state.lanes == {}

    async def test_no_height_is_no_question(self, unopened: Station) -> None:
        asks_for(unopened.right, client_pb2.Height())
        opening = await opened(unopened)
        assert (opening.state, opening.reason) == (OpeningState.FAILED, "HEIGHT_INVALID")

    async def test_a_header_that_its_chain_has_not_yet_is_asked_for_again(
        self, unopened: Station
    ) -> None:
        asks_for(unopened.right, proto_height(10_000))
        opening = await opened(unopened)
        assert (opening.state, opening.reason) == (OpeningState.RUNNING, "CHAIN_UNREACHABLE")

    async def test_the_one_that_is_asked_for_a_header_may_not_show_another(
        self, unopened: Station
    ) -> None:
        asks_for(unopened.right, proto_height(ANCHOR_HEIGHT - 1))
        other = headers_answer([unopened.left.chain.light_block(ANCHOR_HEIGHT).header])
        unopened.left.answers = lambda request: other if request.HasField("headers") else None
        opening = await opened(unopened)
        assert (opening.state, opening.reason) == (OpeningState.FAILED, "FRAME_INVALID")
        assert unopened.right.anchor_headers == []

    async def test_another_request_is_not_answered_by_it(self, unopened: Station) -> None:
        needed = anchor_header_needed(Height(1, ANCHOR_HEIGHT))
        unopened.right.answers = lambda request: (
            needed if request.HasField("register_counterparty") else None
        )
        opening = await opened(unopened)
        assert (opening.state, opening.reason) == (OpeningState.FAILED, "FRAME_INVALID")


def asks_for(adapter: ScriptedAdapter, height: client_pb2.Height) -> None:
    """The adapter creates a client only with the header of that height."""
    needed = pb.Answer(anchor_header_needed=pb.AnchorHeaderNeeded(height=height))

    def answer(request: pb.Request) -> pb.Answer | None:
        lacks = request.HasField("create_client") and not request.create_client.HasField(
            "anchor_header"
        )
        return needed if lacks else None

    adapter.answers = answer


class TestAdopted:
    async def test_a_pair_that_stands_is_verified_and_nothing_is_created(
        self, unopened: Station
    ) -> None:
        key = existing(unopened)
        unopened.exchange.send(3)
        await unopened.know()
        opening = await opened(
            unopened, source_client=key.source_client, destination_client=key.destination_client
        )
        assert opening.lanes == (key, key.reverse)
        assert "create_client" not in kinds(unopened.left) + kinds(unopened.right)
        assert (await unopened.registry.lanes.get(key)).first_sequence == 4
        assert (await unopened.registry.lanes.get(key.reverse)).first_sequence == 1

    async def test_a_lane_may_begin_before_the_next_sequence(self, unopened: Station) -> None:
        key = existing(unopened)
        unopened.exchange.send(3)
        await unopened.know()
        await opened(
            unopened,
            source_client=key.source_client,
            destination_client=key.destination_client,
            from_sequence=2,
        )
        assert (await unopened.registry.lanes.get(key)).first_sequence == 2

    async def test_a_lane_does_not_begin_after_the_next_sequence(self, unopened: Station) -> None:
        """What lies between would be carried by nobody."""
        key = existing(unopened)
        unopened.exchange.send(3)
        await unopened.know()
        clients = {
            "source_client": key.source_client,
            "destination_client": key.destination_client,
        }
        opening = await opened(unopened, **clients, from_sequence=5)
        assert (opening.state, opening.reason) == (OpeningState.FAILED, "FIELD_INVALID")
        assert opening.detail == "from_sequence 5 is beyond the next one, 4"
        opening = await opened(unopened, **clients, from_sequence=4)
        assert opening.state is OpeningState.DONE

    async def test_a_client_whose_trust_has_ended_is_not_adopted(
        self, unopened: Station, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = existing(unopened)
        keeper = await unopened.keeper(SUZHOU)
        claimed = keeper.claimed_state

        async def old(height: int) -> ConsensusState:
            state = await claimed(height)
            ended = unopened.clock.now() - TRUST.trusting_period
            return replace(state, time=Timestamp(ended))

        monkeypatch.setattr(keeper, "claimed_state", old)
        opening = await opened(
            unopened, source_client=key.source_client, destination_client=key.destination_client
        )
        assert (opening.state, opening.reason) == (OpeningState.RUNNING, "CLIENT_EXPIRED")
        assert unopened.registry.state.lanes == {}

    async def test_a_client_that_does_not_exist_is_looked_for_again(
        self, unopened: Station
    ) -> None:
        opening = await opened(unopened, source_client=ClientId("07-tendermint-9"))
        assert (opening.state, opening.reason) == (OpeningState.RUNNING, "CHAIN_UNREACHABLE")

    async def test_another_client_than_was_wanted_is_not_adopted(self, unopened: Station) -> None:
        """An adapter that answers with another one of its clients."""
        other = unopened.left.clients(existing(unopened).source_client)
        unopened.left.answers = lambda request: (
            other if request.WhichOneof("body") == "client" else None
        )
        opening = await opened(unopened, source_client=ClientId("07-tendermint-9"))
        assert (opening.state, opening.reason) == (OpeningState.FAILED, "FRAME_INVALID")
        assert unopened.registry.state.lanes == {}

    async def test_a_client_that_is_bound_to_another_is_not_bound_again(
        self, unopened: Station
    ) -> None:
        key = existing(unopened)
        opening = await opened(unopened, source_client=key.source_client)
        assert (opening.state, opening.reason) == (OpeningState.FAILED, "LANE_EXISTS")
        assert unopened.registry.state.lanes == {}

    @pytest.mark.parametrize("order", [Order.ENFORCED, Order.BEST_EFFORT])
    async def test_a_gateway_that_does_not_enforce_order_is_not_taken_for_one_that_does(
        self, unopened: Station, order: Order
    ) -> None:
        key = existing(unopened)
        opening = await opened(
            unopened,
            source_client=key.source_client,
            destination_client=key.destination_client,
            order=order,
        )
        enforced = order is Order.ENFORCED
        expected = OpeningState.FAILED if enforced else OpeningState.DONE
        assert opening.state is expected
        assert opening.reason == ("FIELD_INVALID" if enforced else "")

    async def test_a_client_of_another_chain_is_not_adopted(
        self, unopened: Station, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keeper = await unopened.keeper(SUZHOU)
        anchor = replace(keeper.hub_client.anchor, chain_id=ChainId("wuxi-1"))
        monkeypatch.setattr(keeper, "hub_client", replace(keeper.hub_client, anchor=anchor))
        opening = await opened(unopened, source_client=existing(unopened).source_client)
        assert (opening.state, opening.reason) == (OpeningState.FAILED, "CHAIN_ID_MISMATCH")


class TestLies:
    @pytest.mark.parametrize("count", [0, 2, 50])
    @pytest.mark.parametrize("kind", ["create_client", "register_counterparty"])
    async def test_an_answer_that_names_no_or_many_clients_opens_nothing(
        self, unopened: Station, kind: str, count: int
    ) -> None:
        one = unopened.left.clients(existing(unopened).source_client).clients.clients[0]
        lie = pb.Answer(clients=pb.ClientAnswer(clients=[one] * count))
        unopened.left.answers = lambda request: lie if request.WhichOneof("body") == kind else None
        opening = await opened(unopened)
        assert (opening.state, opening.reason) == (OpeningState.FAILED, "FRAME_INVALID")
        assert unopened.registry.state.lanes == {}

    async def test_binding_one_client_and_showing_another_opens_nothing(
        self, unopened: Station
    ) -> None:
        other = unopened.left.clients(existing(unopened).source_client)
        unopened.left.answers = lambda request: (
            other if request.WhichOneof("body") == "register_counterparty" else None
        )
        opening = await opened(unopened)
        assert (opening.state, opening.reason) == (OpeningState.FAILED, "FRAME_INVALID")

    @pytest.mark.parametrize(
        "lie",
        [
            lambda found: found.values.__setitem__(0, (1).to_bytes(8, "big")),
            lambda found: found.values.__setitem__(0, b""),
            lambda found: found.proofs.__setitem__(0, b""),
            lambda found: found.height.CopyFrom(proto_height(3)),
        ],
        ids=["another number", "none at all", "no proof", "an older height"],
    )
    async def test_a_next_sequence_that_is_not_proven_opens_nothing(
        self, unopened: Station, lie: Callable[[pb.ProofAnswer], None]
    ) -> None:
        key = existing(unopened)
        unopened.exchange.send(3)
        await unopened.know()

        def answer(request: pb.Request) -> pb.Answer | None:
            if request.WhichOneof("body") != "proofs":
                return None
            found = unopened.left.prove(request.proofs)
            lie(found.proofs)
            return found

        unopened.left.answers = answer
        opening = await opened(
            unopened, source_client=key.source_client, destination_client=key.destination_client
        )
        assert opening.state is OpeningState.RUNNING
        assert opening.reason
        assert unopened.registry.state.lanes == {}

    async def test_words_of_an_adapter_are_noted_cut_and_printable(self, unopened: Station) -> None:
        refusal = pb.Refusal(reason="CHAIN_UNREACHABLE", detail="\x00" + "x" * 100_000)
        unopened.left.answers = lambda _: pb.Answer(refusal=refusal)
        opening = await opened(unopened)
        assert opening.detail.isprintable()
        assert len(opening.detail) < 1000

    async def test_an_update_that_is_refused_is_tried_again(self, unopened: Station) -> None:
        refused = pb.ExecutionReport(refused=[pb.Refusal(reason="BACKLOG_FULL", detail="later")])
        unopened.right.reports = lambda _: refused
        opening = await opened(unopened)
        assert (opening.state, opening.reason) == (OpeningState.RUNNING, "CHAIN_UNREACHABLE")
        unopened.right.reports = lambda _: None
        await open_all(unopened.board, {HANGZHOU, SUZHOU})
        assert (await unopened.registry.lanes.opening(opening.number)).state is OpeningState.DONE


async def test_a_frozen_client_of_the_hub_opens_no_lane(unopened: Station) -> None:
    await unopened.registry.clients.freeze(SUZHOU, "inspection", None, ADMIN)
    await unopened.board.refresh(SUZHOU)
    opening = await opened(unopened)
    assert (opening.state, opening.reason) == (OpeningState.RUNNING, "CLIENT_FROZEN")
    assert unopened.registry.state.lanes == {}


async def test_an_adapter_that_is_slow_to_answer_holds_up_its_own_openings_alone(
    unopened: Station,
) -> None:
    key = existing(unopened)
    slow = await unopened.registry.lanes.start_opening(
        plan(source_client=ClientId("07-tendermint-9")), ADMIN
    )
    quick = await unopened.registry.lanes.start_opening(
        plan(source_client=key.source_client, destination_client=key.destination_client), ADMIN
    )
    left = unopened.left
    ask = left.session.request

    async def request(request: pb.Request) -> pb.Answer:
        if request.client.client == "07-tendermint-9":
            await unopened.clock.sleep(ANSWER_WITHIN)
        return await ask(request)

    left.session.request = request  # type: ignore[method-assign]
    opener = Openings(unopened.board, {HANGZHOU, SUZHOU})
    await opener.start_all()
    await until(lambda: set(opener.tries) == {slow.number})
    lanes = unopened.registry.lanes
    later = await lanes.start_opening(plan(source=SUZHOU, destination=HANGZHOU), ADMIN)
    await opener.start_all()
    await until(lambda: set(opener.tries) == {slow.number})
    for opening in (quick, later):
        assert (await lanes.opening(opening.number)).state is OpeningState.DONE
    assert (await lanes.opening(slow.number)).reason == ""
    slow_one = opener.tries[slow.number]
    await opener.start_all()
    assert opener.tries == {slow.number: slow_one}
    await opener.end()
    assert slow_one.cancelled()
    assert opener.tries == {}


async def test_an_opening_that_ends_while_others_are_read_is_not_taken_up_as_it_was(
    unopened: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes = unopened.registry.lanes
    await lanes.start_opening(plan(), ADMIN)
    opener, read = Openings(unopened.board, {HANGZHOU, SUZHOU}), lanes.running_openings
    await opener.start_all()

    async def slow() -> Any:
        found = await read()
        await until(lambda: not opener.tries)
        return found

    monkeypatch.setattr(lanes, "running_openings", slow)
    await opener.start_all()
    assert opener.tries == {}


async def test_a_bug_costs_one_try_of_one_opening(
    unopened: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes = unopened.registry.lanes
    broken = await lanes.start_opening(plan(), ADMIN)
    other = await lanes.start_opening(plan(source=SUZHOU, destination=HANGZHOU), ADMIN)
    note = lanes.note_opening

    async def noting(number: int, **how: Any) -> None:
        if number == broken.number:
            raise KeyError("a bug")
        await note(number, **how)

    with monkeypatch.context() as patch:
        patch.setattr(lanes, "note_opening", noting)
        await open_all(unopened.board, {HANGZHOU, SUZHOU})
    assert (await lanes.opening(other.number)).state is OpeningState.DONE
    assert (await lanes.opening(broken.number)).state is OpeningState.RUNNING
    await open_all(unopened.board, {HANGZHOU, SUZHOU})
    assert (await lanes.opening(broken.number)).state is OpeningState.DONE


async def test_where_the_registry_does_not_answer_it_is_tried_again(
    unopened: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening = await unopened.registry.lanes.start_opening(plan(), ADMIN)

    async def away(*_: Any, **__: Any) -> None:
        raise RegistryUnreachable(problem="away")

    with monkeypatch.context() as patch:
        patch.setattr(unopened.registry.lanes, "note_opening", away)
        await open_all(unopened.board, {HANGZHOU, SUZHOU})
    await open_all(unopened.board, {HANGZHOU, SUZHOU})
    assert (await unopened.registry.lanes.opening(opening.number)).state is OpeningState.DONE
