from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.simchain.misbehave import forge_batch, forge_packet
from adapters.simchain.queries import PREFIX, prove
from hub.core.commitment import commit_acknowledgement, commit_packet
from hub.core.errors import (
    FieldInvalid,
    HubError,
    ProofBatchInvalid,
    RootMismatch,
    TimeoutNotReached,
)
from hub.core.ids import ClientId
from hub.core.packet import Acknowledgement
from hub.core.paths import commitment_key, next_sequence_send_key, receipt_key
from hub.core.record import NewOutcome, OutcomeKind
from hub.core.time import SECOND, Timestamp
from hub.light_clients.cometbft.client import CometBftClient
from hub.light_clients.interface import Included
from hub.wire.frames import AbsenceFrame, decode_frame
from hub.wire.packet import encode_packet
from relayer.verification import (
    Root,
    look,
    prove_absence,
    prove_acknowledgements,
    prove_next_sequence,
    prove_packets,
)
from tests.harness.simchain import LIGHT_CLIENT

if TYPE_CHECKING:
    from adapters.simchain.chain import Chain
    from hub.core.packet import Packet
    from hub.wire.frames import AcknowledgementsFrame, PacketsFrame
    from tests.harness.exchange import Exchange
    from tests.harness.station import Station


def root_of(chain: Chain, height: int = 0) -> Root:
    """The root of the chain's header at *height*, or the newest."""
    header = chain.light_block(height or chain.height).header
    return Root(LIGHT_CLIENT, PREFIX, LIGHT_CLIENT.read_header(header))


def pb_frame(**body: Any) -> pb.AdapterFrame:
    return pb.AdapterFrame(frame_id=1, **body)


class TestPackets:
    async def frame(self, board: Station) -> tuple[Root, PacketsFrame]:
        await board.wire()
        packets = board.exchange.send(2)
        body = board.left.packets(packets)
        frame = decode_frame(pb_frame(packets=body))
        assert frame.packets == tuple(packets)  # type: ignore[union-attr]
        return root_of(board.left.chain), frame  # type: ignore[return-value]

    async def test_each_commitment_is_shown_at_the_source(self, board: Station) -> None:
        root, frame = await self.frame(board)
        proven = prove_packets(root, frame)
        assert proven.packets == frame.packets
        assert proven.contents == tuple(map(encode_packet, frame.packets))
        assert proven.commitments == tuple(map(commit_packet, frame.packets))
        assert (proven.proof_height, proven.proven_at) == (
            root.state.height.number,
            root.state.time,
        )
        assert proven.proof_batch == frame.proof_batch

    async def test_one_packet_that_was_not_committed_to_refuses_all(self, board: Station) -> None:
        root, frame = await self.frame(board)
        first, second = frame.packets
        with pytest.raises(HubError):
            prove_packets(root, replace(frame, packets=(first, forge_packet(second))))

    async def test_a_forged_batch_is_refused(self, board: Station) -> None:
        root, frame = await self.frame(board)
        forged = replace(frame, proof_batch=forge_batch(frame.proof_batch))
        with pytest.raises((RootMismatch, ProofBatchInvalid)):
            prove_packets(root, forged)

    async def test_a_batch_under_another_header_is_refused(self, board: Station) -> None:
        _root, frame = await self.frame(board)
        board.exchange.send()
        with pytest.raises(RootMismatch):
            prove_packets(root_of(board.left.chain), frame)

    async def test_a_batch_of_another_client_is_refused(self, board: Station) -> None:
        """The same sequences under another client's keys prove nothing here."""
        root, frame = await self.frame(board)
        lane = replace(frame.lane, source_client=ClientId("07-tendermint-9"))
        foreign = replace(frame, lane=lane)
        with pytest.raises((RootMismatch, ProofBatchInvalid)):
            prove_packets(root, foreign)


class TestAcknowledgements:
    async def frame(self, board: Station) -> tuple[Root, AcknowledgementsFrame]:
        await board.wire()
        packets = board.exchange.send(2)
        await board.exchange.accept(packets)
        await board.exchange.deliver(packets)
        board.exchange.path.advance()
        frame = decode_frame(pb_frame(acknowledgements=board.right.acknowledgements(packets)))
        return root_of(board.right.chain), frame  # type: ignore[return-value]

    async def test_each_answer_is_shown_at_the_destination(self, board: Station) -> None:
        root, frame = await self.frame(board)
        proven = prove_acknowledgements(root, frame)
        assert proven.outcomes == tuple(
            [
                NewOutcome(sequence, OutcomeKind.ACKNOWLEDGEMENT, content)
                for sequence, content in zip((1, 2), frame.contents, strict=True)
            ]
        )
        assert proven.commitments == tuple(map(commit_acknowledgement, frame.acknowledgements))
        assert proven.proof_height == root.state.height.number

    async def test_another_answer_than_was_written_refuses_all(self, board: Station) -> None:
        root, frame = await self.frame(board)
        other = (frame.acknowledgements[0], Acknowledgement((b"another",)))
        with pytest.raises((RootMismatch, ProofBatchInvalid)):
            prove_acknowledgements(root, replace(frame, acknowledgements=other))

    async def test_the_answer_to_another_packet_is_refused(self, board: Station) -> None:
        root, frame = await self.frame(board)
        with pytest.raises((RootMismatch, ProofBatchInvalid)):
            prove_acknowledgements(root, replace(frame, sequences=(1, 3)))


class TestAbsences:
    def packet(self, exchange: Exchange, timeout: int = 5) -> Packet:
        return exchange.send(timeout=timeout)[0]

    def frame(self, exchange: Exchange, packet: Packet, height: int = 0) -> AbsenceFrame:
        chain = exchange.path.right
        key = receipt_key(packet.destination_client, packet.sequence)
        return AbsenceFrame(
            frame_id=1,
            lane=exchange.key,
            sequence=packet.sequence,
            proof_height=root_of(chain, height).state.height,
            proof=prove(chain, key, height or chain.height).proof,
        )

    async def test_it_is_shown_by_a_header_at_or_past_the_timeout(self, board: Station) -> None:
        exchange = board.exchange
        packet = self.packet(exchange)
        exchange.path.advance(5)
        root = root_of(exchange.path.right)
        proven = prove_absence(root, self.frame(exchange, packet), packet.timeout_timestamp)
        assert proven.outcomes == (NewOutcome(1, OutcomeKind.ABSENCE, b""),)
        assert proven.commitments == (b"",)

    @pytest.mark.parametrize("nanoseconds", [1, SECOND])
    async def test_a_header_before_the_timeout_shows_nothing_even_by_a_nanosecond(
        self, board: Station, nanoseconds: int
    ) -> None:
        exchange = board.exchange
        packet = self.packet(exchange)
        root = root_of(exchange.path.right)
        frame = self.frame(exchange, packet)
        time = Timestamp(packet.timeout_timestamp * SECOND - nanoseconds)
        early = replace(root, state=replace(root.state, time=time))
        with pytest.raises(TimeoutNotReached):
            prove_absence(early, frame, packet.timeout_timestamp)
        just = Timestamp(packet.timeout_timestamp * SECOND)
        on_time = replace(root, state=replace(root.state, time=just))
        prove_absence(on_time, frame, packet.timeout_timestamp)

    async def test_an_old_root_does_not_count_with_a_newer_headers_time(
        self, board: Station
    ) -> None:
        """One header gives both: absence at an earlier height says nothing about later ones."""
        exchange = board.exchange
        packet = self.packet(exchange)
        old = self.frame(exchange, packet)
        await exchange.accept([packet])
        await exchange.deliver([packet])
        exchange.path.advance(9)
        with pytest.raises(RootMismatch):
            prove_absence(root_of(exchange.path.right), old, packet.timeout_timestamp)

    async def test_a_packet_that_was_received_is_not_absent(self, board: Station) -> None:
        exchange = board.exchange
        packet = self.packet(exchange, timeout=60)
        await exchange.accept([packet])
        await exchange.deliver([packet])
        exchange.path.advance(60)
        frame = self.frame(exchange, packet)
        with pytest.raises(HubError):
            prove_absence(root_of(exchange.path.right), frame, packet.timeout_timestamp)


class TestNextSequence:
    async def test_it_is_the_number_that_the_chain_stores(self, board: Station) -> None:
        exchange = board.exchange
        exchange.send(3)
        chain, client = exchange.path.left, exchange.key.source_client
        found = prove(chain, next_sequence_send_key(client), chain.height)
        root = root_of(chain)
        assert (
            prove_next_sequence(
                root, next_sequence_send_key(client), found.value or b"", found.proof
            )
            == 4
        )

    async def test_a_chain_that_gave_out_none_is_at_one(self, board: Station) -> None:
        chain, client = board.exchange.path.right, ClientId("07-tendermint-9")
        found = prove(chain, next_sequence_send_key(client), chain.height)
        assert found.value is None
        assert (
            prove_next_sequence(root_of(chain), next_sequence_send_key(client), b"", found.proof)
            == 1
        )

    async def test_the_first_of_all_may_be_stored_too(self, board: Station) -> None:
        chain, client = board.exchange.path.right, board.exchange.key.destination_client
        found = prove(chain, next_sequence_send_key(client), chain.height)
        assert found.value == (1).to_bytes(8, "big")
        assert (
            prove_next_sequence(
                root_of(chain), next_sequence_send_key(client), found.value, found.proof
            )
            == 1
        )

    async def test_an_adapter_cannot_hide_it_or_say_another(self, board: Station) -> None:
        exchange = board.exchange
        exchange.send()
        chain, client = exchange.path.left, exchange.key.source_client
        found = prove(chain, next_sequence_send_key(client), chain.height)
        for lie in (b"", (7).to_bytes(8, "big")):
            with pytest.raises(HubError):
                prove_next_sequence(
                    root_of(chain), next_sequence_send_key(client), lie, found.proof
                )

    @pytest.mark.parametrize(
        "value",
        [b"\x01", bytes(8), b"\xff" * 8, (5).to_bytes(9, "big"), b"\xff" * 4000],
        ids=["short", "zero", "over 63 bits", "long", "very long"],
    )
    async def test_what_a_strange_chain_stores_there_is_no_sequence(
        self, board: Station, value: bytes
    ) -> None:
        class Convinced(CometBftClient):
            """Proofs are not the point here."""

            def verify_membership(self, *_: object) -> Included:
                return Included()

        root = replace(root_of(board.exchange.path.left), client=Convinced())
        with pytest.raises(FieldInvalid):
            prove_next_sequence(
                root, next_sequence_send_key(board.exchange.key.source_client), value, b""
            )


class TestLook:
    async def test_each_key_stands_or_does_not_or_is_not_proven(self, board: Station) -> None:
        exchange = board.exchange
        exchange.send(2)
        chain = exchange.path.left
        keys = [commitment_key(exchange.key.source_client, number) for number in (1, 2, 9)]
        one, two, none = [prove(chain, key, chain.height) for key in keys]
        assert one.value
        assert none.value is None
        found = look(
            root_of(chain),
            [
                (keys[0], one.value, one.proof),
                (keys[1], b"", two.proof),
                (keys[2], b"", none.proof),
                (keys[2], one.value, none.proof),
                (keys[2], b"", b"garbage"),
            ],
        )
        assert (found[0], found[2]) == (True, False)
        assert all(isinstance(found[at], HubError) for at in (1, 3, 4))
