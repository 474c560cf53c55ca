from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.cosmos.packet_messages import (
    ENVELOPE_BYTES,
    PacketMessage,
    check_counts,
    done_before,
    packet_messages,
)
from adapters.cosmos.tx.messages import AcknowledgePacket, ReceivePacket, TimeOutPacket
from adapters.sdk.execution import Gone, PassOver
from hub.core.commitment import commit_acknowledgement, commit_packet
from hub.core.errors import (
    ChainUnreachable,
    FieldInvalid,
    HeaderNotFound,
    HubError,
    ProofBatchInvalid,
    ProofUnparseable,
)
from hub.core.paths import acknowledgement_key, commitment_key, receipt_key
from hub.light_clients.proofs.ics23 import verify_membership
from tests.harness.comet_node import unreachable
from tests.harness.cosmos_chain import CosmosChain
from tests.harness.cosmos_executions import (
    ANSWER,
    CLIENT,
    HEIGHT,
    OTHER,
    PREFIX,
    acknowledge,
    freeze,
    inbound,
    key,
    receive,
    time_out,
    world,
)


def test_each_received_packet_has_the_proof_of_its_own_commitment() -> None:
    sequences = (2, 3, 5, 8, 9)
    action = receive(*sequences)
    items = tuple([(commitment_key(OTHER, n), commit_packet(inbound(n))) for n in sequences])
    root = world(items)[0].root
    found = packet_messages(action, PREFIX)
    assert [one.sequence for one in found] == list(sequences)
    for one, content, (at, value) in zip(found, action.contents, items, strict=True):
        assert isinstance(one.message, ReceivePacket)
        assert (one.message.packet, one.message.height) == (content, HEIGHT)
        verify_membership(root, PREFIX, at, value, one.message.proof)


def test_each_acknowledgement_has_the_proof_of_its_own_commitment() -> None:
    action = acknowledge(1, 4)
    value = commit_acknowledgement(ANSWER)
    items = tuple([(acknowledgement_key(OTHER, n), value) for n in (1, 4)])
    root = world(items)[0].root
    found = packet_messages(action, PREFIX)
    for one, number in zip(found, (0, 1), strict=True):
        message = one.message
        assert isinstance(message, AcknowledgePacket)
        assert message.packet == action.contents[number]
        assert message.acknowledgement == action.acknowledgement_contents[number]
        verify_membership(root, PREFIX, items[number][0], value, message.proof)


@pytest.mark.parametrize("skipped", [(1,), (3,), (9,), (1, 3, 9)])
def test_skipped_leaves_are_proven_and_not_executed(skipped: tuple[int, ...]) -> None:
    for action in (receive(2, 5, skipped=skipped), acknowledge(2, 5, skipped=skipped)):
        found = packet_messages(action, PREFIX)
        assert [one.sequence for one in found] == [2, 5]
    items = tuple([(commitment_key(OTHER, n), commit_packet(inbound(n))) for n in (2, 5, *skipped)])
    root = world(items)[0].root
    for one, item in zip(
        packet_messages(receive(2, 5, skipped=skipped), PREFIX), items, strict=False
    ):
        assert isinstance(one.message, ReceivePacket)
        verify_membership(root, PREFIX, *item, one.message.proof)


def test_a_timeout_has_its_whole_proof() -> None:
    action = time_out(3)
    expected = TimeOutPacket(packet=action.content, proof=b"a proof", height=HEIGHT)
    size = len(action.content) + len(action.proof) + ENVELOPE_BYTES
    assert packet_messages(action, PREFIX) == [PacketMessage(3, expected, size)]


def test_what_concerns_no_packet_has_no_message() -> None:
    assert packet_messages(None, PREFIX) == packet_messages(freeze(), PREFIX) == []


def test_order_that_is_not_enforced_passes_nothing_over() -> None:
    passed = PassOver(
        gone=(Gone(1, b""),), next_sequence=2, next_sequence_proof=b"", proof_height=HEIGHT
    )
    with pytest.raises(FieldInvalid):
        packet_messages(passed, PREFIX)


def test_a_message_is_never_larger_than_it_says() -> None:
    signer = "cosmos1" + "q" * 90
    for action in (receive(1, 2**62), acknowledge(1, 2**62), time_out(2**62)):
        for one in packet_messages(action, PREFIX):
            assert len(one.message.encode(signer)) + len(one.message.type_url) + 16 <= one.size


@pytest.mark.parametrize(
    ("batch", "error"),
    [(b"", ProofUnparseable), (b"\xff" * 40, HubError), (receive(1).proof_batch, HubError)],
)
def test_a_batch_that_is_none_is_refused(batch: bytes, error: type[HubError]) -> None:
    with pytest.raises(error):
        packet_messages(replace(receive(1, 2), proof_batch=batch), PREFIX)


def test_a_sequence_shown_twice_is_refused() -> None:
    action = receive(1, 2)
    twice = replace(action, packets=(action.packets[0],) * 2)
    with pytest.raises(ProofBatchInvalid):
        packet_messages(twice, PREFIX)


@pytest.mark.parametrize(
    "action",
    [
        replace(receive(1), packets=()),
        replace(receive(1), contents=()),
        replace(receive(1, 2), contents=(b"", b"", b"")),
        replace(acknowledge(1), packets=()),
        replace(acknowledge(1), contents=()),
        replace(acknowledge(1), acknowledgements=()),
        replace(acknowledge(1), acknowledgement_contents=(b"", b"")),
    ],
)
def test_packets_without_their_parts_are_refused(action: object) -> None:
    with pytest.raises(FieldInvalid):
        check_counts(action)  # type: ignore[arg-type]


@pytest.mark.parametrize("action", [receive(1), acknowledge(1), time_out(1), freeze(), None])
def test_whole_actions_pass(action: object) -> None:
    check_counts(action)  # type: ignore[arg-type]


async def test_received_is_what_has_a_receipt() -> None:
    chain = CosmosChain(key(1))
    chain.store[receipt_key(CLIENT, 2)] = b"\x02"
    assert await done_before(chain, CLIENT, receive(1, 2), [1, 2], 0) == {2}


async def test_settled_is_what_stands_committed_no_more() -> None:
    chain = CosmosChain(key(1))
    chain.store[commitment_key(CLIENT, 2)] = b"\x01" * 32
    assert await done_before(chain, CLIENT, acknowledge(1, 2), [1, 2], 0) == {1}
    assert await done_before(chain, CLIENT, time_out(1), [1], 0) == {1}
    assert await done_before(chain, CLIENT, time_out(2), [2], 0) == frozenset()


async def test_it_is_asked_at_the_height_that_is_named() -> None:
    chain = CosmosChain(key(1))
    chain.store[commitment_key(CLIENT, 2)] = b"\x01" * 32
    chain.block()
    del chain.store[commitment_key(CLIENT, 2)]
    chain.block()
    assert await done_before(chain, CLIENT, acknowledge(2), [2], 11) == frozenset()
    assert await done_before(chain, CLIENT, acknowledge(2), [2], 12) == {2}
    with pytest.raises(HeaderNotFound):
        await done_before(chain, CLIENT, acknowledge(2), [2], 13)


async def test_what_concerns_no_packet_is_never_done() -> None:
    chain = CosmosChain(key(1))
    assert await done_before(chain, CLIENT, freeze(), [], 0) == frozenset()
    chain.failures["store/ibc/key"].append(unreachable())
    with pytest.raises(ChainUnreachable):
        await done_before(chain, CLIENT, receive(1), [1], 0)
