from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.simchain import bank
from adapters.simchain.application import ERROR_ANSWER
from adapters.simchain.events import TokensRefunded
from adapters.simchain.state import State
from adapters.simchain.store.stores import Stores
from adapters.simchain.transfer import SUCCESS, Transfer, escrow_account
from adapters.simchain.transfer_data import (
    JSON_ENCODING,
    TransferData,
    encode_json,
    payload_of,
)
from hub.core.errors import FieldInvalid, IdentityNotAllowed, PacketInvalid
from hub.core.ids import ClientId, PortId
from hub.core.packet import Packet, Payload

PORT = PortId("transfer")
HERE, THERE = ClientId("07-tendermint-1"), ClientId("07-tendermint-2")
ESCROW = escrow_account(PORT, HERE)
APP = Transfer(PORT)
DATA = TransferData(denomination="coin", amount=30, sender="alice", receiver="bob")


@pytest.fixture
def state() -> State:
    made = State(Stores(("bank",)))
    bank.mint(made, "alice", "coin", 100)
    bank.mint(made, "alice", "transfer/07-tendermint-1/foreign", 50)
    return made


def outgoing(data: TransferData) -> tuple[Packet, Payload]:
    return packet(HERE, THERE, data)


def incoming(data: TransferData) -> tuple[Packet, Payload]:
    return packet(THERE, HERE, data)


def packet(source: ClientId, target: ClientId, data: TransferData) -> tuple[Packet, Payload]:
    payload = payload_of(PORT, data)
    made = Packet(
        sequence=9,
        source_client=source,
        destination_client=target,
        timeout_timestamp=1,
        payloads=(payload,),
    )
    return made, payload


def test_own_tokens_that_are_sent_go_into_escrow(state: State) -> None:
    APP.on_send(state, *outgoing(DATA), "alice")
    assert bank.balance(state, "alice", "coin") == 70
    assert bank.balance(state, ESCROW, "coin") == 30


def test_vouchers_that_go_home_are_burned(state: State) -> None:
    voucher = "transfer/07-tendermint-1/foreign"
    APP.on_send(state, *outgoing(replace(DATA, denomination=voucher)), "alice")
    assert bank.balance(state, "alice", voucher) == bank.supply(state, voucher) == 20


def test_vouchers_that_go_further_are_kept_in_escrow(state: State) -> None:
    voucher = "transfer/07-tendermint-5/foreign"
    bank.mint(state, "alice", voucher, 40)
    APP.on_send(state, *outgoing(replace(DATA, denomination=voucher)), "alice")
    assert bank.balance(state, ESCROW, voucher) == 30
    assert bank.supply(state, voucher) == 40


def test_nobody_sends_tokens_of_another(state: State) -> None:
    with pytest.raises(IdentityNotAllowed):
        APP.on_send(state, *outgoing(DATA), "mallory")


def test_nobody_sends_more_than_is_held(state: State) -> None:
    with pytest.raises(FieldInvalid):
        APP.on_send(state, *outgoing(replace(DATA, amount=101)), "alice")


def test_foreign_tokens_arrive_as_vouchers_that_tell_their_way(state: State) -> None:
    assert APP.on_receive(state, *incoming(DATA)) == SUCCESS
    assert bank.balance(state, "bob", "transfer/07-tendermint-1/coin") == 30


def test_own_tokens_come_home_out_of_escrow(state: State) -> None:
    APP.on_send(state, *outgoing(DATA), "alice")
    home = replace(DATA, denomination="transfer/07-tendermint-2/coin")
    assert APP.on_receive(state, *incoming(home)) == SUCCESS
    assert bank.balance(state, "bob", "coin") == 30
    assert bank.balance(state, ESCROW, "coin") == 0
    assert bank.supply(state, "coin") == 100


def test_no_chain_releases_more_than_went_to_it(state: State) -> None:
    APP.on_send(state, *outgoing(DATA), "alice")
    too_much = replace(DATA, denomination="transfer/07-tendermint-2/coin", amount=31)
    with pytest.raises(FieldInvalid):
        APP.on_receive(state, *incoming(too_much))


def test_no_chain_releases_what_went_to_another(state: State) -> None:
    bank.move(state, "alice", escrow_account(PORT, ClientId("07-tendermint-7")), "coin", 100)
    home = replace(DATA, denomination="transfer/07-tendermint-2/coin")
    with pytest.raises(FieldInvalid):
        APP.on_receive(state, *incoming(home))


@pytest.mark.parametrize("receiver", ["", "escrow:transfer/07-tendermint-1", "a/b"])
def test_receiver_that_is_no_user_is_refused(state: State, receiver: str) -> None:
    with pytest.raises(FieldInvalid):
        APP.on_receive(state, *incoming(replace(DATA, receiver=receiver)))


def test_ports_other_than_its_own_are_refused(state: State) -> None:
    made, payload = incoming(DATA)
    with pytest.raises(FieldInvalid):
        APP.on_receive(state, made, replace(payload, source_port=PortId("bulk")))
    with pytest.raises(FieldInvalid):
        APP.on_send(state, made, replace(payload, destination_port=PortId("bulk")), "alice")


def test_success_leaves_the_tokens_where_they_went(state: State) -> None:
    APP.on_send(state, *outgoing(DATA), "alice")
    APP.on_acknowledge(state, *outgoing(DATA), SUCCESS)
    assert bank.balance(state, ESCROW, "coin") == 30
    assert state.events == []


@pytest.mark.parametrize("denomination", ["coin", "transfer/07-tendermint-1/foreign"])
@pytest.mark.parametrize("by_timeout", [True, False])
def test_refund_makes_all_as_it_was(state: State, denomination: str, *, by_timeout: bool) -> None:
    sent = outgoing(replace(DATA, denomination=denomination))
    before = bank.balance(state, "alice", denomination), bank.supply(state, denomination)
    APP.on_send(state, *sent, "alice")
    if by_timeout:
        APP.on_time_out(state, *sent)
    else:
        APP.on_acknowledge(state, *sent, ERROR_ANSWER)
    assert (bank.balance(state, "alice", denomination), bank.supply(state, denomination)) == before
    assert state.events == [TokensRefunded(HERE, 9)]


def test_answer_of_no_transfer_is_refused(state: State) -> None:
    APP.on_send(state, *outgoing(DATA), "alice")
    with pytest.raises(PacketInvalid):
        APP.on_acknowledge(state, *outgoing(DATA), b'{"result":"Ag=="}')


def test_tokens_whose_transfer_is_json_go_there_and_back_whole(state: State) -> None:
    there, payload = outgoing(DATA)
    payload = replace(payload, encoding=JSON_ENCODING, value=encode_json(DATA))
    APP.on_send(state, there, payload, "alice")
    assert bank.balance(state, ESCROW, "coin") == 30
    home = replace(DATA, denomination=f"transfer/{THERE}/coin", sender="bob", receiver="carol")
    back, payload = incoming(home)
    payload = replace(payload, encoding=JSON_ENCODING, value=encode_json(home))
    assert APP.on_receive(state, back, payload) == SUCCESS
    assert (bank.balance(state, ESCROW, "coin"), bank.balance(state, "carol", "coin")) == (0, 30)
    APP.on_send(state, there, replace(payload, value=encode_json(DATA)), "alice")
    APP.on_time_out(state, there, replace(payload, value=encode_json(DATA)))
    assert bank.balance(state, "alice", "coin") == 70
    assert bank.supply(state, "coin") == 100
