from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.simchain.misbehave import forge_batch
from hub.core.commitment import commit_packet
from hub.core.errors import (
    AdapterOffline,
    ChainUnreachable,
    ClientFrozen,
    ConsensusStateMissing,
    FrameInvalid,
    HeightInvalid,
    HubError,
    LimitExceeded,
)
from hub.core.paths import commitment_key
from relayer.reproof import KEYS, MAX_PARTS, ask, fresh_batch
from tests.harness.exchange import ADMIN, HANGZHOU
from tests.harness.station import Station, proto_height

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.core.packet import Packet

    Leaf = tuple[bytes, bytes]


def leaf(packet: Packet) -> Leaf:
    return commitment_key(packet.source_client, packet.sequence), commit_packet(packet)


async def shown(board: Station, count: int) -> list[Leaf]:
    """Leaves of packets that stand under a header that the hub has."""
    packets = board.exchange.send(count)
    await board.know()
    return [leaf(packet) for packet in packets]


def lying(change: Callable[[pb.ProofAnswer], None]) -> Callable[[Station], None]:
    """An adapter whose true answers are changed."""

    def tell(board: Station) -> None:
        def answer(request: pb.Request) -> pb.Answer | None:
            if request.WhichOneof("body") != "proofs":
                return None
            found = board.left.prove(request.proofs)
            change(found.proofs)
            return found

        board.left.answers = answer

    return tell


async def test_a_batch_of_what_stands_is_verified_at_the_newest_height(wired: Station) -> None:
    leaves = await shown(wired, 3)
    fresh = await fresh_batch(wired.board, HANGZHOU, leaves)
    assert fresh.leaves == leaves
    assert fresh.height.number == wired.left.chain.height
    [request] = wired.left.requests
    assert request.proofs.batch


async def test_what_no_longer_stands_is_left_out_and_the_rest_goes_on(wired: Station) -> None:
    leaves = await shown(wired, 3)
    gone = (commitment_key(wired.exchange.key.source_client, 9), b"x" * 32)
    fresh = await fresh_batch(wired.board, HANGZHOU, [*leaves, gone])
    assert fresh.leaves == leaves
    assert [one.proofs.batch for one in wired.left.requests] == [True, False, True]


async def test_what_stands_with_another_value_is_left_out_too(wired: Station) -> None:
    leaves = await shown(wired, 2)
    wired.left.answers = lambda request: (
        pb.Answer(refusal=pb.Refusal(reason="PROOF_NOT_FOUND"))
        if request.proofs.batch and len(request.proofs.keys) == 2
        else None
    )
    other = (leaves[1][0], b"x" * 32)
    fresh = await fresh_batch(wired.board, HANGZHOU, [leaves[0], other])
    assert fresh.leaves == [leaves[0]]


@pytest.mark.parametrize("standing", [0, 2])
async def test_where_nothing_stands_or_all_does_the_refusal_stays(
    wired: Station, standing: int
) -> None:
    leaves = (await shown(wired, 2))[:standing]
    client = wired.exchange.key.source_client
    leaves += [(commitment_key(client, number), b"x" * 32) for number in (8, 9)][standing:]
    wired.left.answers = lambda request: (
        pb.Answer(refusal=pb.Refusal(reason="PROOF_NOT_FOUND")) if request.proofs.batch else None
    )
    with pytest.raises(ChainUnreachable):
        await fresh_batch(wired.board, HANGZHOU, leaves)


async def test_whole_proofs_are_asked_for_in_bounded_numbers(wired: Station) -> None:
    leaves = await shown(wired, 1)
    client = wired.exchange.key.source_client
    missing = [(commitment_key(client, number), b"x" * 32) for number in range(10, 10 + 2 * KEYS)]
    await fresh_batch(wired.board, HANGZHOU, leaves + missing)
    sizes = [len(one.proofs.keys) for one in wired.left.requests if not one.proofs.batch]
    assert sizes == [KEYS, KEYS, 1]


@pytest.mark.parametrize(
    ("lie", "error"),
    [
        (lambda found: found.height.CopyFrom(proto_height(3)), ConsensusStateMissing),
        (lambda found: found.height.CopyFrom(proto_height(0)), HeightInvalid),
        (lambda found: found.ClearField("proofs"), FrameInvalid),
        (lambda found: found.proofs.append(b""), FrameInvalid),
    ],
    ids=["another height", "no height", "no proof", "two proofs"],
)
async def test_an_answer_of_another_shape_is_refused(
    wired: Station, lie: Callable[[pb.ProofAnswer], None], error: type[HubError]
) -> None:
    leaves = await shown(wired, 2)
    lying(lie)(wired)
    with pytest.raises(error):
        await fresh_batch(wired.board, HANGZHOU, leaves)


def first_ones(board: Station, limit: int) -> None:
    """The adapter's answers have room for so many whole proofs."""

    def cut(found: pb.ProofAnswer) -> None:
        del found.proofs[limit:], found.values[limit:]

    lying(cut)(board)


async def test_what_an_answer_has_no_room_for_is_asked_for_again(wired: Station) -> None:
    leaves = await shown(wired, 7)
    keys = [key for key, _ in leaves]
    keeper = await wired.keeper(HANGZHOU)
    state = keeper.latest_verified()
    whole = wired.left.prove(
        pb.ProofRequest(keys=keys, height=proto_height(state.height.number))
    ).proofs
    first_ones(wired, 3)
    found = await ask(wired.board, keeper, state, keys, batch=False)
    assert found == whole
    assert [len(one.proofs.keys) for one in wired.left.requests] == [7, 3, 1]


async def test_an_adapter_that_answers_one_by_one_is_asked_no_more(wired: Station) -> None:
    leaves = await shown(wired, MAX_PARTS + 1)
    first_ones(wired, 1)
    keeper = await wired.keeper(HANGZHOU)
    state = keeper.latest_verified()
    with pytest.raises(LimitExceeded):
        await ask(wired.board, keeper, state, [key for key, _ in leaves], batch=False)
    assert len(wired.left.requests) == MAX_PARTS


@pytest.mark.parametrize("field", ["proofs", "values"])
@pytest.mark.parametrize("count", [0, 1, 3])
async def test_whole_proofs_are_as_many_as_the_keys(wired: Station, field: str, count: int) -> None:
    leaves = await shown(wired, 2)

    def lie(found: pb.ProofAnswer) -> None:
        found.ClearField(field)  # type: ignore[arg-type]
        getattr(found, field).extend([b"x"] * count)

    lying(lie)(wired)
    keeper = await wired.keeper(HANGZHOU)
    state = keeper.latest_verified()
    with pytest.raises(FrameInvalid):
        await ask(wired.board, keeper, state, [key for key, _ in leaves], batch=False)


async def test_a_forged_batch_is_not_passed_on(wired: Station) -> None:
    leaves = await shown(wired, 2)

    def lie(found: pb.ProofAnswer) -> None:
        found.proofs[0] = forge_batch(found.proofs[0])

    lying(lie)(wired)
    with pytest.raises(HubError):
        await fresh_batch(wired.board, HANGZHOU, leaves)


async def test_a_stale_batch_under_the_name_of_the_newest_height_is_not_passed_on(
    wired: Station,
) -> None:
    leaves = await shown(wired, 2)
    old = wired.left.chain.height
    wired.exchange.send()
    await wired.know()

    def answer(request: pb.Request) -> pb.Answer:
        stale = pb.ProofRequest(keys=request.proofs.keys, height=proto_height(old), batch=True)
        found = wired.left.prove(stale)
        found.proofs.height.CopyFrom(request.proofs.height)
        return found

    wired.left.answers = answer
    with pytest.raises(HubError):
        await fresh_batch(wired.board, HANGZHOU, leaves)


async def test_a_frozen_client_is_not_asked_for_anything(wired: Station) -> None:
    leaves = await shown(wired, 1)
    await wired.registry.clients.freeze(HANGZHOU, "inspection", None, ADMIN)
    await wired.board.refresh(HANGZHOU)
    with pytest.raises(ClientFrozen):
        await fresh_batch(wired.board, HANGZHOU, leaves)
    assert wired.left.requests == []


async def test_without_an_adapter_nothing_is_proven_afresh(board: Station) -> None:
    with pytest.raises(AdapterOffline):
        await fresh_batch(board.board, HANGZHOU, [(b"key", b"value")])
