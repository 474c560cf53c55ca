from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.conformance.cosmos_sender import BLOCKS, CosmosSender, escrow_address, voucher
from adapters.conformance.sender import SenderFailed
from adapters.conformance.sender_config import CosmosUsers
from adapters.cosmos.rpc.records import BlockResults, Checked, NodeStatus, TxResult
from adapters.cosmos.tx.keys import write_new_keys
from adapters.cosmos.tx.transaction import tx_hash
from hub.core.codec.proto import bytes_field, message_field, varint_field
from hub.core.errors import ChainUnreachable, FieldInvalid
from hub.core.ids import ClientId
from hub.core.ranges import RangeSet
from tests.harness.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CLIENT = ClientId("07-tendermint-3")
ANSWER = b"/ibc.applications.transfer.v1.MsgTransferResponse"
STRANGER = b"somebody else's"


class PaperNode:
    """A node of a chain that makes a block whenever one is waited for."""

    chain_id = "hangzhou-1"

    def __init__(self) -> None:
        self.latest = 7
        self.refusal = 0
        self.failure = 0
        self.loses = False
        self.is_away = False
        self.sent: list[bytes] = []
        self.asked: list[bytes] = []
        self.closed = False

    async def status(self) -> NodeStatus:
        return NodeStatus("hangzhou-1", self.latest, 1, is_catching_up=False)

    async def above(self, number: int) -> int:
        self.latest = max(self.latest, number + 1)
        return self.latest

    async def transactions(self, number: int) -> tuple[bytes, ...]:
        mine = () if self.loses or number != 9 else tuple(self.sent)
        return (STRANGER, *mine)

    async def results(self, number: int, _: frozenset[str]) -> BlockResults:
        other, mine = _result(b"", 5), _result(_answers(4, 5), self.failure)
        return BlockResults(number, (other, mine), (), b"")

    async def broadcast(self, transactions: Sequence[bytes]) -> tuple[Checked, ...]:
        self.sent += transactions
        return (Checked(self.refusal, "sdk", "too poor", tx_hash(transactions[0])),)

    async def query(self, path: str, data: bytes, at: int = 0) -> bytes:
        assert at == 0
        if self.is_away:
            raise ChainUnreachable(chain="hangzhou-1", problem="is away")
        self.asked.append(data)
        if path.endswith("AccountInfo"):
            return message_field(1, varint_field(3, 2) + varint_field(4, 6))
        return message_field(1, bytes_field(1, b"coin") + bytes_field(2, b"12"))

    async def close(self) -> None:
        self.closed = True


def _result(data: bytes, code: int) -> TxResult:
    return TxResult(code, "sdk", data, 0, 0, (), "out of luck")


def _answers(*sequences: int) -> bytes:
    answers = [bytes_field(1, ANSWER) + bytes_field(2, varint_field(1, n)) for n in sequences]
    return b"".join([message_field(2, answer) for answer in answers])


@pytest.fixture
def node() -> PaperNode:
    return PaperNode()


@pytest.fixture
def sender(tmp_path: Path, node: PaperNode) -> CosmosSender:
    write_new_keys(tmp_path / "keys", 1, "cosmos")
    made = CosmosSender(users(tmp_path / "keys"), ManualClock())
    made._node = node  # type: ignore[assignment]
    return made


def users(file: Path, **changes: Any) -> CosmosUsers:
    values: dict[str, Any] = {
        "chain_id": "hangzhou-1",
        "nodes": ["http://127.0.0.1:1"],
        "keys_file": str(file),
        "denomination": "coin",
    }
    return CosmosUsers(**{**values, **changes})


async def test_packets_are_found_in_the_block_that_sent_them(
    sender: CosmosSender, node: PaperNode
) -> None:
    sent = await sender.send(CLIENT, "examiner", count=2, amount=3, lives_s=60)
    assert sent == RangeSet.of([4, 5])
    assert node.latest == 10
    [transaction] = node.sent
    assert transaction.count(b"07-tendermint-3") == 2
    await sender.close()
    assert node.closed


async def test_what_the_chain_does_not_do_is_no_failure_of_the_adapter(
    sender: CosmosSender, node: PaperNode
) -> None:
    node.refusal = 5
    with pytest.raises(SenderFailed, match="sdk 5: too poor"):
        await sender.send(CLIENT, "examiner", count=2, amount=3, lives_s=60)
    node.refusal, node.failure = 0, 11
    with pytest.raises(SenderFailed, match="sdk 11: out of luck"):
        await sender.send(CLIENT, "examiner", count=2, amount=3, lives_s=60)
    node.loses = True
    with pytest.raises(SenderFailed, match=f"none of {BLOCKS} blocks"):
        await sender.send(CLIENT, "examiner", count=2, amount=3, lives_s=60)
    node.is_away = True
    with pytest.raises(SenderFailed, match="CHAIN_UNREACHABLE"):
        await sender.locked(CLIENT)


async def test_what_is_locked_and_received_stands_at_its_accounts(
    sender: CosmosSender, node: PaperNode
) -> None:
    assert await sender.locked(CLIENT) == 12
    assert escrow_address(CLIENT, "cosmos").encode() in node.asked[-1]
    assert await sender.received(CLIENT, "examcoin") == 12
    assert voucher(CLIENT, "examcoin").encode() in node.asked[-1]
    assert sender.receiver.encode() in node.asked[-1]


def test_names_are_as_ibc_go_makes_them() -> None:
    # Source: ibc-go modules/apps/transfer/types/keys_test.go, TestGetEscrowAddress;
    # the voucher of ATOM on Osmosis, transfer/channel-0/uatom.
    address = escrow_address(ClientId("channel-0"), "cosmos")
    assert address == "cosmos1a53udazy8ayufvy0s434pfwjcedzqv34kvz9tw"
    name = "ibc/27394FB092D2ECCD56123C74F36E4C1F926001CEADA9CA97EA622B25F41E5EB2"
    assert voucher(ClientId("channel-0"), "uatom") == name


def test_a_file_without_a_key_is_told(tmp_path: Path) -> None:
    (tmp_path / "keys").touch(mode=0o600)
    (tmp_path / "keys").write_text("# nobody\n")
    with pytest.raises(FieldInvalid):
        CosmosSender(users(tmp_path / "keys"), ManualClock())


@pytest.mark.parametrize(
    "changes",
    [{"nodes": []}, {"fee": 5}, {"fee": 5, "fee_denomination": "coin"}],
)
def test_users_that_cannot_pay_or_be_asked_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"nodes|fee_denomination"):
        CosmosUsers(
            **{
                "chain_id": "hangzhou-1",
                "nodes": ["http://127.0.0.1:1"],
                "keys_file": "keys",
                "denomination": "coin",
                **changes,
            }
        )
