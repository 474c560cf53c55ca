"""SimchainService: what a city's own users, operators and nodes do with the embedded chain.

Administrators may call it, and the chain's own peer; nobody else. The hub never does.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeVar
from uuid import uuid4

import structlog
from grpc_status import rpc_status
from ydhub.simchain.v1 import simchain_service_pb2 as pb
from ydhub.simchain.v1 import simchain_service_pb2_grpc as service

from adapters.simchain.events import PacketSent
from adapters.simchain.execution import account_nonce
from adapters.simchain.following import answers
from adapters.simchain.ledger_answer import ledger_to_proto
from adapters.simchain.messages import SendPacket, Transaction
from adapters.simchain.misbehave import Misbehaviour
from adapters.simchain.queries import anchor_at
from adapters.simchain.switches import LASTING
from adapters.simchain.transfer_data import TransferData, payload_of
from hub.core.errors import (
    ChainUnreachable,
    FieldInvalid,
    HubError,
    IdentityNotAllowed,
    RecordCorrupt,
)
from hub.core.ids import parse_client_id, parse_port_id
from hub.core.lane import Side
from hub.core.time import MILLISECOND, Duration, whole_seconds
from hub.wire.anchors import anchor_to_proto
from hub.wire.duration import format_duration
from hub.wire.identity.spiffe import Role, caller, peer_identity
from hub.wire.status import to_status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from typing import Any

    import grpc

    from adapters.sdk.accepted_log import AcceptedLog
    from adapters.sdk.clock import Clock
    from adapters.sdk.submission import Verdict
    from adapters.simchain.node import ChainNode
    from hub.core.client import TrustOptions
    from hub.core.ids import ClientId, PeerId

    T = TypeVar("T")
    Context = grpc.aio.ServicerContext[Any, Any]

MAX_COUNT: Final = 10_000
MAX_TIMEOUT: Final = 86_400
"""Seconds."""
MAX_MEMO: Final = 256
"""Characters."""
DEFAULT_PORT: Final = "transfer"

_KINDS: Final = {
    pb.MisbehaveRequest.KIND_EQUIVOCATE: Misbehaviour.EQUIVOCATE,
    pb.MisbehaveRequest.KIND_FORGE_HEADER: Misbehaviour.FORGE_HEADER,
    pb.MisbehaveRequest.KIND_FORGE_PROOF: Misbehaviour.FORGE_PROOF,
    pb.MisbehaveRequest.KIND_REPLAY: Misbehaviour.REPLAY,
    pb.MisbehaveRequest.KIND_WITHHOLD: Misbehaviour.WITHHOLD,
    pb.MisbehaveRequest.KIND_STALL: Misbehaviour.STALL,
    pb.MisbehaveRequest.KIND_REORDER: Misbehaviour.REORDER,
    pb.MisbehaveRequest.KIND_REFUSE: Misbehaviour.REFUSE,
}

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose chain it is, and what of it others are told."""

    peer: PeerId
    trust_domain: str
    trust_options: TrustOptions


class Offender(Protocol):
    """Breaks the rules on demand."""

    async def commit(self, kind: Misbehaviour, client: ClientId | None) -> Verdict:
        """The relayer's verdict on the offence. Raises ``HubError``."""
        ...


@dataclass(frozen=True, slots=True)
class Adapter:
    """What the service knows of the adapter in its process."""

    offender: Offender
    accepted: AcceptedLog


class SimchainService(service.SimchainServiceServicer):
    """The service of one embedded chain."""

    def __init__(
        self, node: ChainNode, owner: Owner, adapter: Adapter | None, clock: Clock
    ) -> None:
        """The service of *node*'s chain; *adapter* is None where it is another process."""
        self._node = node
        self._owner = owner
        self._adapter = adapter
        self._clock = clock
        self._senders: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def SendTransfer(
        self, request: pb.SendTransferRequest, context: Context
    ) -> pb.SendTransferResponse:
        """One or more transfers, all in one block or none."""
        return await self._answer(lambda: self._send_transfer(request), context)

    async def GetLedger(
        self, request: pb.GetLedgerRequest, context: Context
    ) -> pb.GetLedgerResponse:
        """What the chain itself holds."""
        return await self._answer(lambda: self._get_ledger(request), context)

    async def GetAnchor(
        self,
        request: pb.GetAnchorRequest,
        context: Context,
    ) -> pb.GetAnchorResponse:
        """The anchor of the newest block."""
        return await self._answer(self._get_anchor, context)

    async def Misbehave(
        self, request: pb.MisbehaveRequest, context: Context
    ) -> pb.MisbehaveResponse:
        """What the relayer makes of an offence."""
        return await self._answer(lambda: self._misbehave(request), context)

    async def FollowBlocks(
        self, request: pb.FollowBlocksRequest, context: Context
    ) -> AsyncIterator[pb.FollowBlocksResponse]:
        """The chain's blocks, without an end."""
        try:
            self._check_caller(context)
            stream = answers(self._node, request.from_height, self._clock)
            async with aclosing(stream):
                async for answer in stream:
                    yield answer
        except Exception as error:  # noqa: BLE001 - a bug fails one call, not the process
            await _abort(context, error)

    async def SubmitTransaction(
        self, request: pb.SubmitTransactionRequest, context: Context
    ) -> pb.SubmitTransactionResponse:
        """Which block will hold the transaction."""
        return await self._answer(lambda: self._submit(request), context)

    async def _submit(self, request: pb.SubmitTransactionRequest) -> pb.SubmitTransactionResponse:
        if not request.transaction:
            raise FieldInvalid(field="transaction", problem="is missing")
        try:
            height = await self._node.submit(request.transaction)
        except RecordCorrupt as error:
            raise FieldInvalid(field="transaction", problem=f"is none: {error}") from error
        return pb.SubmitTransactionResponse(height=height)

    async def _send_transfer(self, request: pb.SendTransferRequest) -> pb.SendTransferResponse:
        sends = self._sends(request)
        # An account's transactions are counted, so one waits for the other.
        async with self._senders[request.sender]:
            nonce = account_nonce(self._node.chain.state, request.sender) + 1
            transaction = Transaction(signer=request.sender, nonce=nonce, messages=sends)
            result = await self._node.result(transaction)
        if result.error is not None:
            raise result.error
        sent = [event.packet for event in result.events if isinstance(event, PacketSent)]
        return pb.SendTransferResponse(
            first_sequence=sent[0].sequence,
            last_sequence=sent[-1].sequence,
            height=result.height,
            counterparty_client=sent[0].destination_client,
        )

    def _sends(self, request: pb.SendTransferRequest) -> tuple[SendPacket, ...]:
        """The messages of the request. Raises ``FieldInvalid`` or ``IdentifierInvalid``."""
        count = request.count or 1
        _between("count", count, 1, MAX_COUNT)
        _between("timeout_seconds", request.timeout_seconds, 1, MAX_TIMEOUT)
        _between("memo", len(request.memo), 0, MAX_MEMO)
        data = TransferData(
            denomination=request.denomination,
            amount=request.amount,
            sender=request.sender,
            receiver=request.receiver,
            memo=request.memo,
        )
        port = parse_port_id(request.source_port or DEFAULT_PORT)
        chain_now = max(self._clock.now(), self._node.chain.time)
        send = SendPacket(
            client=parse_client_id(request.client),
            timeout_timestamp=whole_seconds(chain_now) + request.timeout_seconds,
            payloads=(payload_of(port, data),),
        )
        return (send,) * count

    async def _get_ledger(self, request: pb.GetLedgerRequest) -> pb.GetLedgerResponse:
        answer = ledger_to_proto(self._node.chain, totals_only=request.totals_only)
        if self._adapter is not None:
            answer.has_adapter = True
            answer.accepted_answers = self._adapter.accepted.count(Side.SOURCE)
        return answer

    async def _get_anchor(self) -> pb.GetAnchorResponse:
        chain = self._node.chain
        if not chain.height:
            problem = "there is no block yet"
            raise ChainUnreachable(chain=chain.config.chain_id, problem=problem)
        anchor = anchor_at(chain, chain.height, self._owner.trust_options)
        return pb.GetAnchorResponse(anchor=anchor_to_proto(anchor))

    async def _misbehave(self, request: pb.MisbehaveRequest) -> pb.MisbehaveResponse:
        kind = _KINDS.get(request.kind)
        if kind is None:
            raise FieldInvalid(field="kind", problem="is none that this chain knows")
        client = parse_client_id(request.client) if request.client else None
        if kind in LASTING:
            duration = Duration(request.duration_ms * MILLISECOND)
            self._node.switches.turn_on(kind, client, duration)
            _log.warning("misbehaves", kind=kind, milliseconds=request.duration_ms)
            return pb.MisbehaveResponse(detail=f"for {format_duration(duration)}")
        if self._adapter is None:
            problem = f"is {kind}, which the adapter's process must be asked for"
            raise FieldInvalid(field="kind", problem=problem)
        verdict = await self._adapter.offender.commit(kind, client)
        _log.warning("misbehaved", kind=kind, refused=len(verdict.refused))
        if verdict.refused:
            first = verdict.refused[0]
            return pb.MisbehaveResponse(reason=first.reason, detail=first.detail)
        done = len(verdict.already_done)
        return pb.MisbehaveResponse(detail=f"{done} accepted before" if done else "accepted")

    async def _answer(self, work: Callable[[], Awaitable[T]], context: Context) -> T:
        """What *work* returns, if the caller may ask; a failure ends the call with its status."""
        try:
            self._check_caller(context)
            return await work()
        except Exception as error:
            await _abort(context, error)
            raise

    def _check_caller(self, context: Context) -> None:
        identity = caller(context, self._owner.trust_domain)
        own = peer_identity(self._owner.trust_domain, self._owner.peer)
        if identity.role is not Role.ADMIN and identity != own:
            raise IdentityNotAllowed(identity=str(identity), action="use this chain")


async def _abort(context: Context, failure: Exception) -> None:
    """The call ends with the status that tells of *failure*."""
    if not isinstance(failure, HubError):
        _log.error("call_failed", exc_info=failure)
    await context.abort_with_status(rpc_status.to_status(to_status(failure, uuid4().hex)))


def _between(field: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise FieldInvalid(field=field, problem=f"is {value}, not {low} to {high}")
