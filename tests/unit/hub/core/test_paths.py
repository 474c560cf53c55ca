from __future__ import annotations

import pytest

from hub.core import paths
from hub.core.height import Height
from hub.core.ids import ClientId

CLIENT = ClientId("07-tendermint-2")
SEQUENCES = {
    1: "0000000000000001",
    258: "0000000000000102",
    2**63 - 1: "7fffffffffffffff",
}


@pytest.mark.parametrize(("sequence", "encoded"), SEQUENCES.items())
def test_packet_keys_are_client_tag_and_big_endian_sequence(sequence: int, encoded: str) -> None:
    """Source: ibc-go v10 24-host/v2/packet_keys.go."""
    tail = bytes.fromhex(encoded)
    assert paths.commitment_key(CLIENT, sequence) == b"07-tendermint-2\x01" + tail
    assert paths.receipt_key(CLIENT, sequence) == b"07-tendermint-2\x02" + tail
    assert paths.acknowledgement_key(CLIENT, sequence) == b"07-tendermint-2\x03" + tail


def test_keys_rise_with_the_sequence() -> None:
    """Proof batches rest on it."""
    keys = [paths.commitment_key(CLIENT, n) for n in (1, 2, 255, 256, 65_536, 2**40)]
    assert keys == sorted(keys)


def test_next_sequence_send_has_one_slash() -> None:
    """As chains of ibc-go v10.7.0 store it: the recorded absence proofs name it a neighbour."""
    assert paths.next_sequence_send_key(CLIENT) == b"nextSequenceSend/07-tendermint-2"


def test_next_sequence_receive_is_another_key() -> None:
    assert paths.next_sequence_receive_key(CLIENT) == b"nextSequenceRecv//07-tendermint-2"


def test_the_keys_of_a_client_are_those_of_ics24() -> None:
    assert paths.client_state_key(CLIENT) == b"clients/07-tendermint-2/clientState"
    assert paths.counterparty_key(CLIENT) == b"clients/07-tendermint-2/counterparty"
    assert (
        paths.consensus_state_key(CLIENT, Height(1, 194))
        == b"clients/07-tendermint-2/consensusStates/1-194"
    )


def test_no_two_keys_are_the_same() -> None:
    keys = [
        make(ClientId(client), sequence)
        for make in (paths.commitment_key, paths.receipt_key, paths.acknowledgement_key)
        for client in ("07-tendermint-2", "07-tendermint-20", "07-tendermint-0")
        for sequence in (1, 2, 0x0200)
    ]
    assert len(set(keys)) == len(keys)
