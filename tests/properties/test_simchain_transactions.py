"""Bytes that a stranger could submit to an embedded chain: no transaction, or one that is executed
or refused like any other. A chain that failed on one would fail on it again at every start."""

from __future__ import annotations

from random import Random
from typing import Final

import pytest

from adapters.simchain.codec import encode_transaction
from adapters.simchain.execution import account_nonce
from adapters.simchain.messages import (
    AcknowledgePackets,
    CreateClient,
    Message,
    RegisterCounterparty,
    SubmitMisbehaviour,
    TimeOutPacket,
    Transaction,
)
from adapters.simchain.queries import PREFIX, anchor_at, height_at
from adapters.simchain.transfer_data import TransferData
from hub.core.errors import RecordCorrupt
from hub.core.packet import Acknowledgement
from tests.harness.simchain import TRUST, Path, path_of

MUTATIONS: Final = 3000
IN_A_BLOCK: Final = 50


def samples(path: Path) -> list[bytes]:
    """A transaction of each kind, for the right chain, as a relayer would submit it."""
    left, right = path.left, path.right
    packets = path.sent(3)
    late = path.send(left, timeout=3)
    path.advance(5)
    update = path.update(right, left.height)
    client, step = path.client(right), update.steps[0]
    at = height_at(left, left.height)
    data = TransferData(denomination="suzhoucoin", amount=3, sender="alice", receiver="bob")
    relayed: list[tuple[Message, ...]] = [
        (update, path.receive(left, packets)),
        (update, path.pass_over(left, 1)),
        (SubmitMisbehaviour(client=client, first=step, second=step),),
        (TimeOutPacket(packet=late, proof_height=at, proof=b"proof"),),
        (
            AcknowledgePackets(
                client=client,
                packets=tuple(packets),
                acknowledgements=(Acknowledgement((b"\x01",)),) * 3,
                skipped=(),
                proof_height=at,
                proof=b"proof",
            ),
        ),
        (CreateClient(anchor=anchor_at(left, left.height, TRUST), ordered=True, opening="o"),),
        (RegisterCounterparty(client=client, counterparty=path.client(left), prefix=PREFIX),),
    ]
    nonce = account_nonce(right.state, "alice") + 1
    sent = Transaction(signer="alice", nonce=nonce, messages=(path.transfer(right, data),))
    return [
        encode_transaction(sent),
        *[
            encode_transaction(Transaction(signer="relayer", nonce=0, messages=messages))
            for messages in relayed
        ],
    ]


def mutated(data: bytes, chance: Random) -> bytes:
    """*data* with one to three bytes, or runs of them, changed, dropped, added or repeated."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(changed))
        match chance.randrange(4):
            case 0:
                changed[at] ^= 1 << chance.randrange(8)
            case 1:
                del changed[at : at + chance.randint(1, 3)]
            case 2:
                changed[at:at] = chance.randbytes(chance.randint(1, 3))
            case _:
                other = chance.randrange(len(changed))
                changed[at : at + 4] = changed[other : other + 4]
    return bytes(changed)


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_is_submitted_the_chain_goes_on(seed: int) -> None:
    chance = Random(seed)
    path = path_of().open()
    valid = samples(path)
    chain, taken = path.right, 0
    for count in range(MUTATIONS):
        try:
            chain.submit_encoded(mutated(chance.choice(valid), chance))
            taken += 1
        except RecordCorrupt:
            continue
        if count % IN_A_BLOCK == 0:
            path.advance()
    path.advance()
    assert taken > MUTATIONS // 10
    assert path.send(chain).sequence >= 1
