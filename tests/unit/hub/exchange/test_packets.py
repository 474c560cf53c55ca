from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hub.core.commitment import commit_packet
from hub.core.errors import (
    BelowFirstSequence,
    ClientFrozen,
    CommitUnknown,
    ConsensusStateMissing,
    GateChanged,
    LaneNotOpen,
    LanePaused,
    PacketDiffers,
    PeerSuspended,
)
from hub.core.height import Height
from hub.core.lane import LaneState, Route, RouteAction, RouteKey
from hub.core.ranges import EMPTY, RangeSet
from hub.core.record import ExceptionKind
from hub.core.time import SECOND, Duration, Timestamp
from hub.exchange.packets import ProvenPackets, accept, check_accepts, denial, repeated
from hub.registry.memory import MemoryRegistry
from hub.wire.packet import encode_packet
from tests.harness.packet_samples import PACKET
from tests.harness.registry import ADMIN, HANGZHOU, SEQUENCES, SUZHOU, anchor, opened

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hub.core.packet import Packet
    from hub.core.record import Acceptance
    from hub.ports.leases import Fence
    from tests.harness.registry import Opened

PROVEN_AT = Timestamp((PACKET.timeout_timestamp - 60) * SECOND)


@pytest.fixture
async def lanes() -> Opened:
    return await opened(MemoryRegistry())


def table(lanes: Opened, **changes: object) -> Mapping[tuple[str, str], Route]:
    """Both payloads of the sample packet are allowed, with *changes* to the first route."""
    key = lanes.lanes[0].key
    first, second = PACKET.payloads
    routes: dict[tuple[str, str], Route] = {}
    for payload, values in ((first, changes), (second, {})):
        name = f"{key}/routes/{payload.source_port}~{payload.destination_port}"
        fields: dict[str, object] = {"action": RouteAction.ALLOW, **values}
        route = Route(key=RouteKey.parse(name), **fields)  # type: ignore[arg-type]
        routes[payload.source_port, payload.destination_port] = route
    return routes


def proven(*sequences: int, **changes: object) -> ProvenPackets:
    packets = [replace(PACKET, sequence=sequence, **changes) for sequence in sequences]  # type: ignore[arg-type]
    return ProvenPackets(
        packets=tuple(packets),
        contents=tuple([encode_packet(packet) for packet in packets]),
        commitments=tuple([commit_packet(packet) for packet in packets]),
        proof_height=7,
        proven_at=PROVEN_AT,
        proof_batch=b"proof",
    )


async def test_a_repetition_reads_no_more_than_is_shown_and_one_packet(
    lanes: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is proven yet: short contents under the sequences of long ones cost nothing."""
    count = 20
    await accept(
        lanes.registry, lanes.source, await lanes.view(), table(lanes), proven(*range(1, count + 1))
    )
    view, read, sizes = await lanes.view(), lanes.registry.packets.read, []

    async def counting(*arguments: Any) -> Any:
        sizes.append(len(found := await read(*arguments)))
        return found

    monkeypatch.setattr(lanes.registry.packets, "read", counting)
    shown = proven(*range(1, count + 1))
    again = await repeated(lanes.registry, view, shown)
    assert again is not None
    assert again.already_done == RangeSet.span(1, count + 1)
    assert await repeated(lanes.registry, view, replace(shown, contents=(b"",) * count)) is None
    assert sizes == [count, 1]


async def test_new_packets_are_recorded_with_the_proof_of_their_frame(lanes: Opened) -> None:
    found, _ = await accept(
        lanes.registry, lanes.source, await lanes.view(), table(lanes), proven(1, 2, 3)
    )
    assert (found.accepted, found.already_done, found.refused) == (
        RangeSet.of([1, 2, 3]),
        EMPTY,
        (),
    )
    stored = await lanes.registry.packets.page(lanes.lane, 0, 9)
    assert [packet.content for packet in stored] == list(proven(1, 2, 3).contents)
    proofs = await lanes.registry.packets.proofs([stored[0].proof_id])
    proof = proofs[stored[0].proof_id].proof
    assert (proof.height, proof.content, proof.leaf_count, proof.skipped) == (7, b"proof", 3, ())


async def test_the_same_packet_again_is_done_and_leaves_a_skipped_leaf(lanes: Opened) -> None:
    routes = table(lanes)
    await accept(lanes.registry, lanes.source, await lanes.view(), routes, proven(1, 2))
    found, _ = await accept(
        lanes.registry, lanes.source, await lanes.view(), routes, proven(1, 2, 3)
    )
    assert (found.accepted, found.already_done) == (RangeSet.of([3]), RangeSet.of([1, 2]))
    [last] = await lanes.registry.packets.read(lanes.lane, RangeSet.of([3]))
    proofs = await lanes.registry.packets.proofs([last.proof_id])
    skipped = proofs[last.proof_id].proof.skipped
    assert [(leaf.sequence, leaf.commitment) for leaf in skipped] == [
        (1, commit_packet(replace(PACKET, sequence=1))),
        (2, commit_packet(replace(PACKET, sequence=2))),
    ]


async def test_another_packet_under_the_same_sequence_is_a_conflict(lanes: Opened) -> None:
    view, routes = await lanes.view(), table(lanes)
    await accept(lanes.registry, lanes.source, view, routes, proven(1))
    other = proven(1, timeout_timestamp=PACKET.timeout_timestamp + 1)
    found, _ = await accept(lanes.registry, lanes.source, await lanes.view(), routes, other)
    [(sequence, error)] = found.refused
    assert (sequence, type(error)) == (1, PacketDiffers)
    assert not found.accepted


async def test_a_frame_that_contradicts_what_was_proven_proves_nothing_else(
    lanes: Opened,
) -> None:
    view, routes = await lanes.view(), table(lanes)
    await accept(lanes.registry, lanes.source, view, routes, proven(1, 2))
    honest = proven(1, 2, 3, 4)
    lie = replace(PACKET, sequence=2, timeout_timestamp=PACKET.timeout_timestamp + 1)
    packets = (honest.packets[0], lie, *honest.packets[2:])
    mixed = replace(
        honest,
        packets=packets,
        contents=tuple([encode_packet(packet) for packet in packets]),
        commitments=tuple([commit_packet(packet) for packet in packets]),
    )
    found, _ = await accept(lanes.registry, lanes.source, await lanes.view(), routes, mixed)
    assert (found.accepted, found.already_done) == (EMPTY, RangeSet.of([1]))
    assert [(sequence, type(error)) for sequence, error in found.refused] == [
        (2, PacketDiffers),
        (3, ClientFrozen),
        (4, ClientFrozen),
    ]
    assert len(await lanes.registry.packets.page(lanes.lane, 0, 9)) == 2


async def test_where_the_outcome_of_recording_is_unknown_the_same_again_finds_out(
    lanes: Opened,
) -> None:
    """The view is older than what was recorded: the registry says so, and it is judged anew."""
    old, routes = await lanes.view(), table(lanes)
    await accept(lanes.registry, lanes.source, old, routes, proven(1, 2))
    found, view = await accept(lanes.registry, lanes.source, old, routes, proven(1, 2, 3))
    assert (found.accepted, found.already_done) == (RangeSet.of([3]), RangeSet.of([1, 2]))
    assert view.source.done == RangeSet.of([1, 2])


async def test_a_packet_below_the_lanes_first_sequence_is_refused() -> None:
    lanes = await opened(MemoryRegistry())
    view = await lanes.view()
    view = replace(view, lane=replace(view.lane, first_sequence=3))
    found, _ = await accept(lanes.registry, lanes.source, view, table(lanes), proven(2, 3))
    assert found.accepted == RangeSet.of([3])
    [(sequence, error)] = found.refused
    assert (sequence, type(error)) == (2, BelowFirstSequence)


async def test_a_denied_packet_takes_its_place(lanes: Opened) -> None:
    found, _ = await accept(lanes.registry, lanes.source, await lanes.view(), {}, proven(1))
    assert found.accepted == found.denied == RangeSet.of([1])
    [exception] = await lanes.registry.exceptions.among(lanes.lane, SEQUENCES)
    assert (exception.kind, exception.detail) == (
        ExceptionKind.DENIED,
        "route transfer~ledger is not listed",
    )


async def test_a_lane_that_changed_since_it_was_read_is_judged_again(lanes: Opened) -> None:
    old = await lanes.view()
    key = lanes.lanes[0].key
    await lanes.registry.lanes.pause(key, "maintenance", ADMIN)
    with pytest.raises(LanePaused):
        await accept(lanes.registry, lanes.source, old, table(lanes), proven(1))
    await lanes.registry.lanes.resume(key, ADMIN)
    found, view = await accept(lanes.registry, lanes.source, old, table(lanes), proven(1))
    assert found.accepted == RangeSet.of([1])
    assert view.source.gate > old.source.gate


async def test_what_was_proven_before_its_client_started_again_is_not_accepted(
    lanes: Opened,
) -> None:
    """Under a root that may have been forged."""
    old, shown = await lanes.view(), proven(1)
    later = anchor("hangzhou-1", height=Height(1, 9))
    await lanes.registry.clients.freeze(HANGZHOU, "two headers", None, ADMIN)
    await lanes.registry.clients.recover(HANGZHOU, later, Timestamp(0), "mended", ADMIN)
    for view in (old, await lanes.view()):
        with pytest.raises(ConsensusStateMissing):
            await accept(lanes.registry, lanes.source, view, table(lanes), shown)
    assert not (await lanes.view()).source.done
    anew = replace(shown, proof_height=9)
    found, _ = await accept(lanes.registry, lanes.source, old, table(lanes), anew)
    assert found.accepted == RangeSet.of([1])


async def test_a_lane_that_never_rests_is_given_up(
    lanes: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def restless(*_: object) -> None:
        raise GateChanged(lane="lanes/x", gate=1)

    monkeypatch.setattr(lanes.registry.packets, "accept", restless)
    with pytest.raises(GateChanged):
        await accept(lanes.registry, lanes.source, await lanes.view(), table(lanes), proven(1))


@pytest.mark.parametrize("was_done", [True, False])
async def test_what_an_unknown_commit_has_done_is_found_by_identity_and_done_once(
    lanes: Opened,
    monkeypatch: pytest.MonkeyPatch,
    was_done: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    record, asked = lanes.registry.packets.accept, 0

    async def lossy(fence: Fence, acceptances: Sequence[Acceptance]) -> None:
        nonlocal asked
        asked += 1
        if was_done or asked > 1:
            await record(fence, acceptances)
        if asked == 1:
            raise CommitUnknown(problem="the answer was lost")

    monkeypatch.setattr(lanes.registry.packets, "accept", lossy)
    found, view = await accept(
        lanes.registry, lanes.source, await lanes.view(), table(lanes), proven(1, 2)
    )
    both = RangeSet.span(1, 3)
    assert (found.already_done if was_done else found.accepted) == both
    assert asked == (1 if was_done else 2)
    assert (await lanes.view()).source.done == both
    assert view.source.done == (both if was_done else EMPTY)


async def test_a_stopped_lane_says_why(lanes: Opened) -> None:
    view = await lanes.view()
    check_accepts(view)
    closed = replace(view, lane=replace(view.lane, state=LaneState.CLOSED))
    with pytest.raises(LaneNotOpen):
        check_accepts(closed)
    with pytest.raises(ClientFrozen) as found:
        check_accepts(replace(view, source_stopped="two headers"))
    assert found.value.client == f"peers/{HANGZHOU}/client"
    check_accepts(replace(view, destination_stopped="two headers"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"action": RouteAction.DENY}, "route transfer~ledger is denied"),
        ({"max_payload_bytes": 14}, "15 payload bytes are over route transfer~ledger's 14"),
        ({"max_payload_bytes": 15}, ""),
        ({"max_timeout": Duration(60 * SECOND)}, ""),
        ({"max_timeout": Duration(59 * SECOND)}, "is after route transfer~ledger's"),
    ],
)
async def test_policy_judges_by_route_size_and_timeout(
    lanes: Opened, changes: Mapping[str, object], said: str
) -> None:
    packet: Packet = PACKET
    found = denial(packet, table(lanes, **changes), PROVEN_AT)
    assert said in found if said else not found


async def test_every_payload_must_be_allowed(lanes: Opened) -> None:
    routes = dict(table(lanes))
    del routes["notary", "archive"]
    assert denial(PACKET, routes, PROVEN_AT) == "route notary~archive is not listed"


async def test_a_lane_with_a_suspended_end_or_one_that_drains_says_so(lanes: Opened) -> None:
    view = await lanes.view()
    for peer in (HANGZHOU, SUZHOU):
        with pytest.raises(PeerSuspended) as found:
            check_accepts(replace(view, suspended=(peer,), source_stopped="suspended"))
        assert found.value.peer == f"peers/{peer}"
    draining = replace(view, lane=replace(view.lane, state=LaneState.DRAINING))
    with pytest.raises(LaneNotOpen) as refused:
        check_accepts(draining)
    assert refused.value.state == "DRAINING"
