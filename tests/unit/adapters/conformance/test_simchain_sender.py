from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.conformance.sender import SenderFailed
from adapters.conformance.sender_config import SimchainUsers
from adapters.conformance.simchain_sender import SimchainSender
from adapters.sdk.clock import SystemClock
from adapters.simchain.messages import CreateClient, RegisterCounterparty, Transaction, UpdateClient
from adapters.simchain.messages import UpdateStep as Step
from adapters.simchain.node import Node
from adapters.simchain.queries import PREFIX, anchor_at
from hub.core.ids import ClientId
from hub.core.ranges import RangeSet
from tests.harness.certificates import Certificates
from tests.harness.simchain import TRUST, chain_of
from tests.harness.simchain_process import config_of, running

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.simchain.messages import Message

CLIENT = ClientId("07-tendermint-0")


async def bind(node: Node) -> None:
    """The chain has a client of another, bound."""
    other = chain_of("suzhou")
    other.produce_block(SystemClock().now())
    anchor = anchor_at(other, 1, TRUST)
    step = Step(
        trusted_height=anchor.height,
        trusted_validators=b"",
        header=other.light_block(1).header,
    )
    messages: tuple[Message, ...] = (
        CreateClient(anchor=anchor, ordered=False, opening=""),
        UpdateClient(client=CLIENT, steps=(step,)),
        RegisterCounterparty(client=CLIENT, counterparty=CLIENT, prefix=PREFIX),
    )
    result = await node.result(Transaction(signer="relayer", nonce=0, messages=messages))
    assert result.error is None, result.error


async def test_users_send_and_tell_what_is_locked_and_received(tmp_path: Path) -> None:
    certificates = Certificates.make(tmp_path / "certs")
    cert_file, key_file, ca_file = map(str, certificates.files("/admins/ada"))
    config = config_of(tmp_path, certificates, "127.0.0.1:9")
    async with running(config, SystemClock()) as (process, port):
        sender = SimchainSender(
            SimchainUsers(
                address=f"127.0.0.1:{port}",
                cert_file=cert_file,
                key_file=key_file,
                ca_file=ca_file,
                sender="alice",
                denomination="hzcoin",
                receiver="bob",
            )
        )
        with pytest.raises(SenderFailed, match="CLIENT_NOT_FOUND"):
            await sender.send(CLIENT, "carol", count=1, amount=3, lives_s=600)
        assert isinstance(process.node, Node)
        await bind(process.node)
        assert await sender.locked(CLIENT) == 0
        sent = await sender.send(CLIENT, "carol", count=2, amount=3, lives_s=600)
        assert sent == RangeSet.of([1, 2])
        assert await sender.locked(CLIENT) == 6
        assert await sender.received(CLIENT, "examcoin") == 0
        await sender.close()
