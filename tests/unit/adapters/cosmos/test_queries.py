from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from adapters.cosmos import queries
from hub.core.client import TrustOptions
from hub.core.codec.proto import bytes_field, message_field, varint_field
from hub.core.errors import ChainUnreachable, ClientNotFound, HeaderNotFound, TransactionRefused
from hub.core.height import Height
from hub.core.ids import ChainId, ClientId
from hub.core.paths import (
    acknowledgement_key,
    client_state_key,
    commitment_key,
    consensus_state_key,
    next_sequence_send_key,
    receipt_key,
)
from hub.core.time import SECOND, Duration
from hub.light_clients.cometbft.client_state import ClientState, encode_client_state
from tests.harness.cosmos_state import CosmosState

if TYPE_CHECKING:
    from collections.abc import Iterable

CLIENT = ClientId("07-tendermint-2")
OTHER = ClientId("07-tendermint-21")
"""Its keys begin as those of the other client do."""
COMMITMENTS = "/ibc.core.channel.v2.Query/PacketCommitments"
ACKNOWLEDGEMENTS = "/ibc.core.channel.v2.Query/PacketAcknowledgements"
HEIGHTS = "/ibc.core.client.v1.Query/ConsensusStateHeights"
NEXT_CLIENT = b"nextClientSequence"


def client_state(chain_id: str = "hangzhou-1", latest: int = 9, revision: int = 1) -> bytes:
    return encode_client_state(
        ClientState(
            chain_id=ChainId(chain_id),
            options=TrustOptions(
                trusting_period=Duration(3600 * SECOND), max_clock_drift=Duration(SECOND)
            ),
            unbonding_period=Duration(7200 * SECOND),
            latest_height=Height(revision, latest),
            is_frozen=False,
        )
    )


# One answer ---------------------------------------------------------------------------------------


async def test_account_is_read_and_unknown_fields_are_passed_over() -> None:
    info = (
        bytes_field(1, b"cosmos1me")
        + message_field(2, bytes_field(1, b"/some.Key"))
        + varint_field(3, 7)
        + varint_field(4, 41)
        + bytes_field(90, b"news")
    )
    state = CosmosState()
    state.answers["/cosmos.auth.v1beta1.Query/AccountInfo"] = message_field(1, info)
    found = await queries.account(state.node, "cosmos1me")
    assert found == queries.Account(number=7, sequence=41)
    assert state.asked[-1][1] == bytes_field(1, b"cosmos1me")


async def test_account_that_signed_nothing_has_sequence_0() -> None:
    state = CosmosState()
    info = bytes_field(1, b"cosmos1me")
    state.answers["/cosmos.auth.v1beta1.Query/AccountInfo"] = message_field(1, info)
    assert await queries.account(state.node, "cosmos1me") == queries.Account(number=0, sequence=0)


async def test_what_the_chain_refuses_is_told_as_it_is() -> None:
    with pytest.raises(TransactionRefused):
        await queries.account(CosmosState().node, "cosmos1me")


@pytest.mark.parametrize(
    "content", [b'{"gas_info":{"gas_wanted":"0","gas_used":"81234"},"result":{"data":"x"}}']
)
async def test_simulation_tells_the_gas_used(content: bytes) -> None:
    state = CosmosState(answers={"app/simulate": content})
    assert await queries.simulate(state.node, b"transaction") == 81234
    assert state.asked == [("app/simulate", b"transaction", 0)]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b'{"gas_info":{}}',
        b'{"gas_info":{"gas_used":"many"}}',
        b'{"gas_info":{"gas_used":"-1"}}',
        b"[" * 9999,
    ],
)
async def test_simulation_that_tells_nothing_counts_as_no_answer(content: bytes) -> None:
    state = CosmosState(answers={"app/simulate": content})
    with pytest.raises(ChainUnreachable):
        await queries.simulate(state.node, b"")


async def test_creator_is_empty_where_none_is_recorded() -> None:
    state = CosmosState()
    path = "/ibc.core.client.v1.Query/ClientCreator"
    state.answers[path] = bytes_field(1, b"cosmos1me")
    assert await queries.creator(state.node, CLIENT) == "cosmos1me"
    state.answers[path] = b""
    assert await queries.creator(state.node, CLIENT) == ""


async def test_balance_and_supply_are_integers_of_any_size() -> None:
    state = CosmosState()
    coin = bytes_field(1, b"stake") + bytes_field(2, b"%d" % 10**30)
    state.answers["/cosmos.bank.v1beta1.Query/Balance"] = message_field(1, coin)
    state.answers["/cosmos.bank.v1beta1.Query/SupplyOf"] = message_field(1, coin)
    assert await queries.balance(state.node, "cosmos1me", "stake") == 10**30
    assert await queries.supply(state.node, "stake") == 10**30


@pytest.mark.parametrize("amount", [b"-1", b"1.5", b" 1", b"1" * 79, b"\xd9\xa1"])
async def test_amount_that_is_none_counts_as_no_answer(amount: bytes) -> None:
    state = CosmosState()
    coin = bytes_field(1, b"stake") + bytes_field(2, amount)
    state.answers["/cosmos.bank.v1beta1.Query/Balance"] = message_field(1, coin)
    with pytest.raises(ChainUnreachable):
        await queries.balance(state.node, "cosmos1me", "stake")


# Keys ---------------------------------------------------------------------------------------------


async def test_next_sequence_begins_at_1() -> None:
    state = CosmosState()
    assert await queries.next_sequence_send(state.node, CLIENT) == 1
    state.items[next_sequence_send_key(CLIENT)] = (19).to_bytes(8, "big")
    assert await queries.next_sequence_send(state.node, CLIENT) == 19
    state.items[next_sequence_send_key(CLIENT)] = b"\x01"
    with pytest.raises(ChainUnreachable):
        await queries.next_sequence_send(state.node, CLIENT)


async def test_next_sequence_of_an_old_state_is_that_states() -> None:
    state = CosmosState()
    state.add_state(5, {next_sequence_send_key(CLIENT): (3).to_bytes(8, "big")})
    assert await queries.next_sequence_send(state.node, CLIENT, at=5) == 3
    with pytest.raises(HeaderNotFound):
        await queries.next_sequence_send(state.node, CLIENT, at=4)


async def test_presence_is_told_by_sequence() -> None:
    state = CosmosState()
    for sequence in (2, 3, 2**64 - 1):
        state.items[receipt_key(CLIENT, sequence)] = b"\x02"
        state.items[commitment_key(CLIENT, sequence + 1 & 2**64 - 1)] = bytes(32)
        state.items[acknowledgement_key(CLIENT, sequence)] = bytes(32)
    asked = (1, 2, 3, 4, 2**64 - 1)
    assert await queries.receipts(state.node, CLIENT, asked) == {2, 3, 2**64 - 1}
    assert await queries.commitments(state.node, CLIENT, asked) == {3, 4}
    assert await queries.acknowledgements(state.node, CLIENT, asked) == {2, 3, 2**64 - 1}
    assert await queries.receipts(state.node, OTHER, asked) == frozenset()


async def test_nothing_is_asked_for_no_sequences() -> None:
    state = CosmosState()
    assert await queries.receipts(state.node, CLIENT, ()) == frozenset()
    assert state.asked == []


# Lists of sequences -------------------------------------------------------------------------------


def with_commitments(sequences: Iterable[int]) -> CosmosState:
    state = CosmosState()
    state.answers[COMMITMENTS] = state.list_sequences(b"\x01")
    state.answers[ACKNOWLEDGEMENTS] = state.list_sequences(b"\x03")
    for sequence in sequences:
        state.items[commitment_key(CLIENT, sequence)] = bytes(32)
        state.items[acknowledgement_key(CLIENT, sequence + 1)] = bytes(32)
        state.items[commitment_key(OTHER, sequence + 7)] = bytes(32)
    return state


async def test_commitments_are_listed_from_any_sequence_on() -> None:
    held = [3, 4, 9, 300, 2**40]
    state = with_commitments(held)
    for first in (0, 1, 3, 5, 300, 301, 2**40, 2**40 + 1):
        for limit in (1, 2, 5, 100):
            found = await queries.standing_commitments(state.node, CLIENT, first, limit)
            assert list(found) == [one for one in held if one >= first][:limit]
    assert await queries.written_acknowledgements(state.node, CLIENT, 5, 9) == (
        5,
        10,
        301,
        2**40 + 1,
    )


async def test_long_list_is_read_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "MAX_PAGE", 7)
    state = with_commitments(range(1, 60))
    found = await queries.standing_commitments(state.node, CLIENT, 2, 50, at=9)
    assert found == tuple(range(2, 52))
    assert [at for _, _, at in state.asked] == [9] * 8


@pytest.mark.parametrize(
    "sequences", [(5, 5), (6, 5), (4,), (0,)], ids=["twice", "falling", "below", "none"]
)
async def test_list_that_does_not_rise_counts_as_no_answer(sequences: tuple[int, ...]) -> None:
    entries = [message_field(1, varint_field(2, sequence)) for sequence in sequences]
    state = CosmosState(answers={COMMITMENTS: b"".join(entries)})
    with pytest.raises(ChainUnreachable):
        await queries.standing_commitments(state.node, CLIENT, 5, 10)


async def test_pages_that_never_end_count_as_no_answer() -> None:
    again = message_field(2, bytes_field(1, (5).to_bytes(8, "big")))
    state = CosmosState(answers={COMMITMENTS: message_field(1, varint_field(2, 5)) + again})
    with pytest.raises(ChainUnreachable):
        await queries.standing_commitments(state.node, CLIENT, 5, 10)


@pytest.mark.parametrize("key", [b"\x00" * 7 + b"\x06", b"\xff", b"\xff" * 9])
async def test_next_page_without_an_entry_or_a_place_counts_as_no_answer(key: bytes) -> None:
    more = message_field(2, bytes_field(1, key))
    entry = message_field(1, varint_field(2, 5)) if len(key) != 8 else b""
    state = CosmosState(answers={COMMITMENTS: entry + more})
    with pytest.raises(ChainUnreachable):
        await queries.standing_commitments(state.node, CLIENT, 5, 10)


async def test_page_after_the_last_of_all_sequences_counts_as_no_answer() -> None:
    more = message_field(2, bytes_field(1, b"\xff" * 8))
    entry = message_field(1, varint_field(2, 2**64 - 1))
    state = CosmosState(answers={COMMITMENTS: entry + more})
    with pytest.raises(ChainUnreachable):
        await queries.standing_commitments(state.node, CLIENT, 5, 10)


@pytest.mark.parametrize("answer", [b"\xff", b"\x08\x01", b"\x0a\x02\x10", b"\x0a\x02\x12\x00"])
async def test_answer_that_is_none_counts_as_no_answer(answer: bytes) -> None:
    state = CosmosState(answers={COMMITMENTS: answer})
    with pytest.raises(ChainUnreachable):
        await queries.standing_commitments(state.node, CLIENT, 1, 10)


# Clients ------------------------------------------------------------------------------------------


async def test_newest_clients_of_a_chain_are_found_newest_last() -> None:
    state = CosmosState()
    mine = [0, 3, 11, 150, 299]
    for number in range(300):
        chain_id = "hangzhou-1" if number in mine else "hangzhou-12"
        state.items[client_state_key(ClientId(f"07-tendermint-{number}"))] = client_state(chain_id)
    state.items[NEXT_CLIENT] = (301).to_bytes(8, "big")
    names = tuple([ClientId(f"07-tendermint-{number}") for number in mine])
    assert await queries.client_ids(state.node, "hangzhou-1") == names
    assert await queries.client_ids(state.node, "hangzhou-1", 2) == names[-2:]
    assert await queries.client_ids(state.node, "nowhere-1") == ()


async def test_chain_without_clients_has_none() -> None:
    assert await queries.client_ids(CosmosState().node, "hangzhou-1") == ()


@pytest.mark.parametrize("size", [1, 7, 9, 5000])
async def test_number_of_clients_that_is_none_counts_as_no_answer(size: int) -> None:
    state = CosmosState(items={NEXT_CLIENT: b"\x01" * size})
    with pytest.raises(ChainUnreachable):
        await queries.client_ids(state.node, "hangzhou-1")


async def test_client_that_cannot_be_mirrored_is_left_out() -> None:
    state = CosmosState(items={NEXT_CLIENT: (1).to_bytes(8, "big")})
    state.items[client_state_key(ClientId("07-tendermint-0"))] = client_state() + b"\x18\x01"
    assert await queries.client_ids(state.node, "hangzhou-1") == ()


async def test_search_for_clients_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "MAX_CLIENTS_SEARCHED", 200)
    state = CosmosState(items={NEXT_CLIENT: b"\xff" * 8})
    assert await queries.client_ids(state.node, "hangzhou-1") == ()
    assert len(state.asked) == 201


# Heights of consensus states ----------------------------------------------------------------------


def with_heights(numbers: Iterable[int], client: ClientId = CLIENT) -> CosmosState:
    state = CosmosState()
    state.answers[HEIGHTS] = state.list_heights
    numbers = sorted(numbers)
    state.items[client_state_key(client)] = client_state(latest=numbers[-1])
    for number in numbers:
        key = consensus_state_key(client, Height(1, number))
        state.items |= {
            key: b"state",
            key + b"/processedTime": b"1",
            key + b"/processedHeight": b"2",
        }
    return state


async def test_all_heights_of_a_young_client_are_told_in_one_page() -> None:
    state = with_heights([9, 10, 99, 100, 101])
    found = await queries.trusted_heights(state.node, CLIENT)
    assert [one.number for one in found] == [9, 10, 99, 100, 101]
    assert len(state.asked) == 2


@pytest.mark.parametrize("limit", [1, 4, 64])
async def test_newest_heights_are_told_in_the_order_of_their_numbers(limit: int) -> None:
    rng = random.Random(5)
    for _ in range(30):
        top = rng.choice((95, 120, 1005, 10_003, 123_456))
        numbers = {rng.randint(max(1, top - 400), top) for _ in range(rng.randint(1, 300))} | {top}
        numbers |= {rng.randint(1, top) for _ in range(rng.randint(0, 50))}
        state = with_heights(numbers)
        found = await queries.trusted_heights(state.node, CLIENT, limit)
        assert [one.number for one in found] == sorted(numbers)[-limit:]


async def test_heights_are_told_across_another_digit() -> None:
    numbers = range(800, 1003)
    found = await queries.trusted_heights(with_heights(numbers).node, CLIENT, 64)
    assert [one.number for one in found] == list(numbers)[-64:]


async def test_heights_that_only_look_near_are_left_out() -> None:
    state = with_heights([1, 10, 100, 998, 999, 1000])
    found = await queries.trusted_heights(state.node, CLIENT, 2)
    assert [one.number for one in found] == [999, 1000]


async def test_heights_of_an_earlier_revision_are_left_out_of_a_long_list() -> None:
    state = with_heights([5, 6, 7, 8, 9])
    state.items[client_state_key(CLIENT)] = client_state("hangzhou-2", latest=9, revision=2)
    for number in (8, 9):
        key = consensus_state_key(CLIENT, Height(2, number))
        state.items |= {key: b"state", key + b"/processedTime": b"1"}
    found = await queries.trusted_heights(state.node, CLIENT, 3)
    assert found == (Height(2, 8), Height(2, 9))


async def test_unknown_client_is_not_found() -> None:
    with pytest.raises(ClientNotFound):
        await queries.trusted_heights(CosmosState().node, CLIENT)


async def test_height_that_is_none_counts_as_no_answer() -> None:
    state = CosmosState(items={client_state_key(CLIENT): client_state()})
    state.answers[HEIGHTS] = message_field(1, varint_field(1, 1))
    with pytest.raises(ChainUnreachable):
        await queries.trusted_heights(state.node, CLIENT)


async def test_pages_of_heights_that_never_end_count_as_no_answer() -> None:
    state = CosmosState(items={client_state_key(CLIENT): client_state()})
    state.answers[HEIGHTS] = message_field(2, bytes_field(1, b"1-9"))
    with pytest.raises(ChainUnreachable):
        await queries.trusted_heights(state.node, CLIENT)
    assert len(state.asked) == 3


async def test_pages_of_heights_that_fall_for_ever_count_as_no_answer() -> None:
    latest = 10**12 - 1
    state = CosmosState(items={client_state_key(CLIENT): client_state(latest=latest)})
    keys = iter(range(latest, latest - 1000, -1))
    state.answers[HEIGHTS] = lambda _: message_field(2, bytes_field(1, b"1-%d" % next(keys)))
    with pytest.raises(ChainUnreachable):
        await queries.trusted_heights(state.node, CLIENT)
    assert len(state.asked) < 100
