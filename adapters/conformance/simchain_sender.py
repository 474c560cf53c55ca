"""Users of an embedded chain, through the service that its process serves them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import grpc
from ydhub.simchain.v1 import simchain_service_pb2 as pb
from ydhub.simchain.v1 import simchain_service_pb2_grpc as service

from adapters.conformance.sender import SenderFailed
from hub.core.ranges import RangeSet
from hub.wire.identity.credentials import channel_credentials
from hub.wire.status import from_rpc_error

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import TypeVar

    from adapters.conformance.sender_config import SimchainUsers
    from hub.core.ids import ClientId

    T = TypeVar("T")

_OPTIONS: Final = (("grpc.max_receive_message_length", -1),)
_PORT: Final = "transfer"


class SimchainSender:
    """Users of an embedded chain."""

    def __init__(self, config: SimchainUsers) -> None:
        """Users that *config* names. Raises ``FieldInvalid``."""
        credentials = channel_credentials(config.cert_file, config.key_file, config.ca_file)
        self._config = config
        self._channel = grpc.aio.secure_channel(config.address, credentials, options=_OPTIONS)
        self._service: service.SimchainServiceAsyncStub = service.SimchainServiceStub(self._channel)

    @property
    def receiver(self) -> str:
        """The account that the examiner sends its own tokens to."""
        return self._config.receiver

    async def send(
        self, client: ClientId, receiver: str, *, count: int, amount: int, lives_s: int
    ) -> RangeSet:
        """The sequences of *count* committed packets. Raises ``SenderFailed``."""
        request = pb.SendTransferRequest(
            client=client,
            sender=self._config.sender,
            receiver=receiver,
            denomination=self._config.denomination,
            amount=amount,
            timeout_seconds=lives_s,
            count=count,
            source_port=_PORT,
        )
        answer = await _called(self._service.SendTransfer(request))
        return RangeSet.span(answer.first_sequence, answer.last_sequence + 1)

    async def locked(self, client: ClientId) -> int:
        """Units in the escrow of *client*. Raises ``SenderFailed``."""
        return await self._balance(f"escrow:{_PORT}/{client}", self._config.denomination)

    async def received(self, client: ClientId, denomination: str) -> int:
        """Units of the voucher that ``receiver`` holds. Raises ``SenderFailed``."""
        return await self._balance(self.receiver, f"{_PORT}/{client}/{denomination}")

    async def close(self) -> None:
        """The connection is closed."""
        await self._channel.close()

    async def _balance(self, account: str, denomination: str) -> int:
        request = pb.GetLedgerRequest(totals_only=True)
        ledger = await _called(self._service.GetLedger(request))
        held = [
            one.amount
            for one in ledger.balances
            if (one.account, one.denomination) == (account, denomination)
        ]
        return sum(held)


async def _called(call: Awaitable[T]) -> T:
    """What the call returns. Raises ``SenderFailed``."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise SenderFailed(str(from_rpc_error(error))) from error
