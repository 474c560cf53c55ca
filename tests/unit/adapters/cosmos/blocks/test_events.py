from __future__ import annotations

import pytest

from adapters.cosmos.blocks.events import ENTRY_BYTES, read_facts
from adapters.cosmos.rpc.records import BlockResults, Event, TxResult
from hub.core.errors import RecordCorrupt
from hub.core.ids import ClientId
from tests.harness.comet_node import (
    ACKNOWLEDGEMENT,
    CLIENT,
    COUNTERPARTY,
    OTHER_CLIENT,
    packet,
    packet_event,
    sent,
    settled,
    tx_result,
    written,
)


def results(*transactions: TxResult, events: tuple[Event, ...] = ()) -> BlockResults:
    return BlockResults(9, transactions, events, b"")


def test_facts_are_told_by_own_client() -> None:
    facts = read_facts(
        results(
            tx_result([sent(CLIENT, 3), sent(CLIENT, 4), sent(OTHER_CLIENT, 1)]),
            tx_result([written(CLIENT, 8)]),
            events=(settled(CLIENT, 1), settled(CLIENT, 2, "timeout_packet")),
        )
    )
    assert facts.height == 9
    assert facts.sent == {
        CLIENT: {3: packet(CLIENT, 3), 4: packet(CLIENT, 4)},
        OTHER_CLIENT: {1: packet(OTHER_CLIENT, 1)},
    }
    assert facts.written == {CLIENT: {8: ACKNOWLEDGEMENT}}
    assert facts.settled == {CLIENT: {1, 2}}
    assert facts.active == {CLIENT, OTHER_CLIENT}


def test_the_size_is_that_of_all_contents() -> None:
    facts = read_facts(results(tx_result([sent(CLIENT, 3), written(OTHER_CLIENT, 4)])))
    assert facts.size == len(packet(CLIENT, 3)) + len(ACKNOWLEDGEMENT) + 2 * ENTRY_BYTES


def test_a_failed_transaction_did_nothing() -> None:
    assert read_facts(results(tx_result([sent(CLIENT, 3)], code=5))).sent == {}


def test_settled_alone_makes_no_client_active() -> None:
    assert read_facts(results(tx_result([settled(CLIENT, 1)]))).active == frozenset()


@pytest.mark.parametrize(
    "event",
    [
        Event("send_packet", (("packet_src_channel", "channel-0"), ("packet_sequence", "4"))),
        Event("write_acknowledgement", (("packet_ack_hex", "00"),)),
        Event("acknowledge_packet", (("packet_src_port", "transfer"),)),
        Event("timeout_packet", ()),
        Event(
            "send_packet",
            tuple(
                [(f"ibccallbackerror-{key}", value) for key, value in sent(CLIENT, 3).attributes]
            ),
        ),
        Event("create_client", (("client_id", "07-tendermint-4"),)),
        Event("recv_packet", sent(CLIENT, 3).attributes),
    ],
)
def test_events_that_are_not_of_packets_of_version_2_are_passed_over(event: Event) -> None:
    facts = read_facts(results(tx_result([event])))
    assert (facts.sent, facts.written, facts.settled) == ({}, {}, {})


WRONG_SEQUENCES = [None, "", "0", "-1", "+1", " 3", "1_0", "0x3", "٣", "9" * 21, str(2**63)]


@pytest.mark.parametrize("sequence", WRONG_SEQUENCES)
@pytest.mark.parametrize("kind", ["send_packet", "write_acknowledgement", "timeout_packet"])
def test_a_sequence_is_a_decimal_number_in_range(kind: str, sequence: str | None) -> None:
    event = packet_event(kind, packet(CLIENT, 3), packet_sequence=sequence)
    with pytest.raises(RecordCorrupt, match="packet_sequence"):
        read_facts(results(tx_result([event])))


@pytest.mark.parametrize("attribute", ["packet_source_client", "packet_dest_client"])
@pytest.mark.parametrize("client", [None, "", "client-\u00e9", "\udc80"])
def test_both_clients_are_named(attribute: str, client: str | None) -> None:
    event = settled(CLIENT, 3)
    attributes = {**dict(event.attributes), attribute: client}
    kept = tuple([(key, value) for key, value in attributes.items() if value is not None])
    with pytest.raises(RecordCorrupt, match=attribute):
        read_facts(results(tx_result([Event(event.kind, kept)])))


@pytest.mark.parametrize("text", [None, "", "0", "zz", "08 01", "\u0660\u0660", "\udc80"])
def test_contents_are_hexadecimal(text: str | None) -> None:
    with pytest.raises(RecordCorrupt, match="encoded_packet_hex"):
        read_facts(results(tx_result([sent(CLIENT, 3, encoded_packet_hex=text)])))
    with pytest.raises(RecordCorrupt, match="encoded_acknowledgement_hex"):
        read_facts(results(tx_result([written(CLIENT, 3, encoded_acknowledgement_hex=text)])))


@pytest.mark.parametrize(
    "content", [packet(CLIENT, 4), packet(OTHER_CLIENT, 3), packet(CLIENT, 3, OTHER_CLIENT), b"\0"]
)
def test_a_packet_begins_with_its_own_name(content: bytes) -> None:
    with pytest.raises(RecordCorrupt, match="encoded_packet_hex"):
        read_facts(results(tx_result([sent(CLIENT, 3, encoded_packet_hex=content.hex())])))


def test_the_same_event_twice_is_one() -> None:
    facts = read_facts(results(tx_result([sent(CLIENT, 3), sent(CLIENT, 3)])))
    assert list(facts.sent[CLIENT]) == [3]


def test_two_packets_of_one_sequence_contradict_each_other() -> None:
    other = (packet(CLIENT, 3) + b"\x00").hex()
    events = [sent(CLIENT, 3), sent(CLIENT, 3, encoded_packet_hex=other)]
    with pytest.raises(RecordCorrupt, match="sequence 3"):
        read_facts(results(tx_result(events)))


def test_a_client_that_the_hub_cannot_name_harms_nobody() -> None:
    odd = ClientId("channel 7")
    facts = read_facts(results(tx_result([sent(odd, 1), sent(CLIENT, 2)])))
    assert facts.sent.keys() == {odd, CLIENT}
    assert facts.sent[odd][1] == packet(odd, 1, COUNTERPARTY)
