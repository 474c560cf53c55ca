"""Packets, their commitments and keys: different things never share 32 bytes, or a key."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import fields, replace

from hypothesis import assume, given
from hypothesis import strategies as st

from hub.core.commitment import commit_acknowledgement, commit_packet
from hub.core.errors import HubError, IdentifierInvalid
from hub.core.ids import (
    ClientId,
    PortId,
    parse_chain_id,
    parse_client_id,
    parse_peer_id,
    parse_port_id,
)
from hub.core.lane import LaneKey, RouteKey
from hub.core.packet import (
    Acknowledgement,
    Packet,
    Payload,
    check_acknowledgement,
    check_packet,
)
from hub.core.paths import acknowledgement_key, commitment_key, receipt_key

SHORT = st.text("ab", max_size=3)
UINT64 = st.integers(0, 2**64 - 1)
CLIENTS = st.from_regex(r"[a-z0-9]{1,3}(-[a-z]{1,2})?-(0|[1-9][0-9]{0,3})", fullmatch=True).map(
    parse_client_id
)
PEERS = st.from_regex(r"[a-z]([a-z0-9-]{0,5}[a-z0-9])?", fullmatch=True).map(parse_peer_id)
PORTS = st.from_regex(r"[a-zA-Z0-9._+\-#\[\]<>]{2,6}", fullmatch=True).map(parse_port_id)
LANES = st.builds(LaneKey, PEERS, CLIENTS, PEERS, CLIENTS)
PAYLOADS = st.builds(
    Payload,
    source_port=SHORT.map(PortId),
    destination_port=SHORT.map(PortId),
    version=SHORT,
    encoding=SHORT,
    value=st.binary(max_size=3),
)
PACKETS = st.builds(
    Packet,
    sequence=st.just(1),
    source_client=st.just(ClientId("a-0")),
    destination_client=SHORT.map(ClientId),
    timeout_timestamp=st.integers(0, 3),
    payloads=st.lists(PAYLOADS, max_size=3).map(tuple),
)


@given(PACKETS, PACKETS)
def test_two_packets_share_a_commitment_only_if_they_are_one(left: Packet, right: Packet) -> None:
    assert (commit_packet(left) == commit_packet(right)) == (left == right)


@given(PACKETS, PAYLOADS, st.data())
def test_every_field_of_a_payload_is_in_the_commitment(
    packet: Packet, other: Payload, data: st.DataObject
) -> None:
    assume(packet.payloads)
    at = data.draw(st.integers(0, len(packet.payloads) - 1))
    name = data.draw(st.sampled_from([field.name for field in fields(Payload)]))
    payload = packet.payloads[at]
    assume(getattr(payload, name) != getattr(other, name))
    changed = replace(payload, **{name: getattr(other, name)})
    payloads = (*packet.payloads[:at], changed, *packet.payloads[at + 1 :])
    assert commit_packet(replace(packet, payloads=payloads)) != commit_packet(packet)


ANSWERS = st.lists(st.binary(max_size=2), max_size=4).map(tuple)


@given(ANSWERS, ANSWERS)
def test_two_acknowledgements_share_a_commitment_only_if_they_are_one(
    left: tuple[bytes, ...], right: tuple[bytes, ...]
) -> None:
    commitments = [commit_acknowledgement(Acknowledgement(answers)) for answers in (left, right)]
    assert (commitments[0] == commitments[1]) == (left == right)


@given(CLIENTS, UINT64, CLIENTS, UINT64)
def test_two_places_share_a_key_only_if_they_are_one(
    client: ClientId, sequence: int, other: ClientId, number: int
) -> None:
    makers = (commitment_key, receipt_key, acknowledgement_key)
    for first in makers:
        for second in makers:
            is_same = (first, client, sequence) == (second, other, number)
            assert (first(client, sequence) == second(other, number)) == is_same


@given(CLIENTS, UINT64, UINT64)
def test_keys_of_a_lane_are_ordered_as_its_sequences(
    client: ClientId, left: int, right: int
) -> None:
    keys = commitment_key(client, left), commitment_key(client, right)
    assert (keys[0] < keys[1]) == (left < right)


@given(LANES, PORTS, PORTS)
def test_names_are_read_as_they_are_written(
    lane: LaneKey, source: PortId, destination: PortId
) -> None:
    route = RouteKey(lane, source, destination)
    assert LaneKey.parse(lane.name) == LaneKey.parse(str(lane)) == lane
    assert RouteKey.parse(route.name) == route


@given(LANES, LANES)
def test_two_lanes_share_a_name_only_if_they_are_one(left: LaneKey, right: LaneKey) -> None:
    assert (str(left) == str(right)) == (left == right)


@given(st.text(), st.sampled_from(["", "lanes/", "~", "-0"]))
def test_parsers_answer_every_text_with_itself_or_the_one_error(text: str, tail: str) -> None:
    for parse in (parse_peer_id, parse_client_id, parse_port_id, parse_chain_id):
        for candidate in (text, text + tail, tail + text):
            with suppress(IdentifierInvalid):
                assert parse(candidate) == candidate
    for parse_key in (LaneKey.parse, RouteKey.parse):
        with suppress(IdentifierInvalid):
            assert parse_key(text).name.removeprefix("lanes/") == text.removeprefix("lanes/")


@given(
    st.integers(),
    st.integers(),
    st.lists(
        st.builds(
            Payload,
            source_port=st.just(PortId("ab")),
            destination_port=st.just(PortId("ab")),
            version=st.text(st.characters()),
            encoding=st.text(),
            value=st.binary(),
        ),
        max_size=18,
    ),
)
def test_checks_answer_every_packet_with_nothing_or_a_typed_error(
    sequence: int, timeout: int, payloads: list[Payload]
) -> None:
    packet = Packet(
        sequence=sequence,
        source_client=ClientId("a-0"),
        destination_client=ClientId("b-0"),
        timeout_timestamp=timeout,
        payloads=tuple(payloads),
    )
    try:
        check_packet(packet)
    except HubError:
        return
    assert len(commit_packet(packet)) == 32, "what passes can be committed to"


@given(st.lists(st.binary(), max_size=18))
def test_checks_answer_every_acknowledgement_with_nothing_or_a_typed_error(
    answers: list[bytes],
) -> None:
    try:
        check_acknowledgement(Acknowledgement(tuple(answers)))
    except HubError:
        assert not answers or not all(answers) or len(answers) > 16
