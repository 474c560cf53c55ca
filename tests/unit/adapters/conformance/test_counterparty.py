from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.conformance.counterparty import CLIENT_TYPE, Counterparty, kept
from adapters.simchain.block_log import MemoryLog
from adapters.simchain.queries import anchor_at
from hub.core.commitment import commit_packet
from hub.core.errors import ClientNotFound, ClientTypeUnknown, PacketNotFound
from hub.core.ids import ClientId
from hub.core.paths import commitment_key, next_sequence_send_key
from hub.core.time import SECOND
from hub.light_clients.router import light_client
from tests.harness.clock import ManualClock
from tests.harness.simchain import TRUST, chain_of

if TYPE_CHECKING:
    from pathlib import Path

LIGHT_CLIENT = light_client(CLIENT_TYPE)


def fresh(clock: ManualClock | None = None) -> Counterparty:
    return Counterparty(MemoryLog(), b"seed", CLIENT_TYPE, clock or ManualClock())


def test_a_kept_chain_goes_on_where_it_was_and_hides_its_seed(tmp_path: Path) -> None:
    directory, clock = tmp_path / "examiner", ManualClock()
    with kept(directory, CLIENT_TYPE, clock) as chain:
        chain.block()
        anchor = chain.anchor()
    with kept(directory, CLIENT_TYPE, clock) as chain:
        assert chain.anchor() == anchor
        chain.block()
        assert chain.newest == anchor.height.number + 1
    seed = directory / "seed"
    assert seed.stat().st_mode & 0o077 == directory.stat().st_mode & 0o077 == 0
    with kept(tmp_path / "another", CLIENT_TYPE, clock) as chain:
        assert chain.anchor().header_hash != anchor.header_hash


def test_a_chain_that_it_cannot_verify_is_told() -> None:
    with pytest.raises(ClientTypeUnknown):
        Counterparty(MemoryLog(), b"seed", "99-unknown", ManualClock())


async def test_its_anchor_starts_a_client_that_its_steps_lead_on() -> None:
    clock = ManualClock()
    chain = fresh(clock)
    anchor = chain.anchor()
    state = LIGHT_CLIENT.trust_anchor(anchor, await chain.header(anchor.height.number))
    for _ in range(100):
        await clock.advance(SECOND)
        chain.block()
    steps = await chain.steps(anchor.height.number, chain.newest, anchor.options)
    assert len(steps) > 1
    for step in steps:
        assert step.trusted_height == state.height
        verdict = LIGHT_CLIENT.verify_header(
            anchor, state, step.trusted_validators, step.header, now=clock.now()
        )
        state = verdict.state  # type: ignore[union-attr]
    assert state.height == chain.height(chain.newest)


def test_what_it_refuses_is_raised() -> None:
    chain = fresh()
    chain.client = ClientId("07-tendermint-7")
    with pytest.raises(ClientNotFound):
        chain.send("bob", 1, lives_s=60)
    with pytest.raises(PacketNotFound):
        chain.answer(1)


async def test_packets_leave_it_over_a_client_that_is_bound() -> None:
    clock = ManualClock()
    chain, other = fresh(clock), chain_of("hangzhou")
    other.produce_block(clock.now())
    other.produce_block(clock.now())
    anchor = anchor_at(other, other.height, TRUST)
    chain.create(anchor, other.light_block(anchor.height.number).header)
    assert chain.trusted() == (anchor.height.number,)
    chain.bind(ClientId("07-tendermint-9"), anchor.prefix)
    packets = chain.send("bob", 5, count=2, lives_s=60)
    assert [packet.sequence for packet in packets] == [1, 2]
    assert chain.escrowed() == 10
    assert chain.vouchers() == 0
    assert chain.seconds == packets[0].timeout_timestamp - 60
    shown, root = chain.commitments(packets), await chain.header(chain.newest)
    assert shown.height == LIGHT_CLIENT.read_header(root).height
    gone = chain.absence(1)
    assert gone.proof
    assert gone.height == shown.height


def test_another_client_of_the_same_chain_sees_the_same_blocks() -> None:
    chain = fresh()
    chain.client = ClientId("07-tendermint-7")
    other = chain.beside()
    assert other.client == ""
    other.block()
    other.client = ClientId("07-tendermint-8")
    assert (chain.newest, chain.client) == (other.newest, "07-tendermint-7")


async def test_what_stands_and_what_is_gone_is_shown_under_one_header() -> None:
    clock = ManualClock()
    chain, other = fresh(clock), chain_of("hangzhou")
    other.produce_block(clock.now())
    other.produce_block(clock.now())
    anchor = anchor_at(other, other.height, TRUST)
    chain.create(anchor, other.light_block(other.height).header, ordered=True)
    chain.bind(ClientId("07-tendermint-0"), anchor.prefix)
    [packet] = chain.send("bob", 1, lives_s=60)
    root, prefix = await _root(chain), chain.anchor().prefix
    shown = chain.gone(packet.sequence)
    assert (shown.height, shown.next_sequence) == (chain.height(chain.newest), 2)
    key, value = next_sequence_send_key(chain.client), (2).to_bytes(8, "big")
    LIGHT_CLIENT.verify_membership(root, prefix, key, value, shown.next_sequence_proof)
    key, value = commitment_key(chain.client, packet.sequence), commit_packet(packet)
    LIGHT_CLIENT.verify_membership(root, prefix, key, value, shown.proof)
    key = commitment_key(chain.client, packet.sequence + 1)
    LIGHT_CLIENT.verify_non_membership(root, prefix, key, chain.gone(packet.sequence + 1).proof)


async def _root(chain: Counterparty) -> bytes:
    """The root of its newest header."""
    anchor = chain.anchor()
    return LIGHT_CLIENT.trust_anchor(anchor, await chain.header(anchor.height.number)).root
