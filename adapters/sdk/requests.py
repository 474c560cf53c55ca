"""Requests of the relayer, each answered by what the chain shows, or by why it does not.

Whatever a proof ends at, the header of it is shown first. Of many headers or proofs an answer holds
those that it has room for, from the first on; the relayer asks for the rest again. A client is
created from the operator's own anchor alone: a header or a prefix that the relayer names is
compared with it, never adopted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.sdk.failpoints import Failpoint, hit
from adapters.sdk.wire.encode import (
    anchor_header_needed,
    clients_answer,
    headers_answer,
    proofs_answer,
    refusal_to_proto,
)
from hub.core.errors import (
    AnchorMismatch,
    FrameInvalid,
    HubError,
    IdentifierInvalid,
    LimitExceeded,
)
from hub.core.ids import parse_client_id
from hub.core.paths import receipt_key
from hub.light_clients.router import light_client
from hub.wire.frames import MAX_HEADERS, MAX_ITEMS
from hub.wire.headers import header_from_proto, height_from_proto
from hub.wire.status import RemoteError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable, Iterator

    from adapters.sdk.anchors import Anchors
    from adapters.sdk.chain import ChainAdapter, ChainClient
    from adapters.sdk.pump import Pump
    from adapters.sdk.stream import Stream
    from hub.core.client import Anchor, ConsensusState, Header
    from hub.core.height import Height
    from hub.core.ids import ClientId

MAX_ANSWER_BYTES: Final = 2 * 1024 * 1024 - 65_536
"""Under the 2 MiB that a relayer takes in one message."""
_FRAMING: Final = 32
"""Most bytes of tags and lengths around one item, and around all."""
MAX_RUNNING: Final = 64
FLOOD: Final = 4
"""So many times more than may run keep nobody's answers small."""
MAX_KEY_BYTES: Final = 256
_SEQUENCE_START = -8
_CLIENT_END = -9
"""A receipt's key ends with one byte of kind and eight of sequence."""

_log = structlog.get_logger()


class Requests:
    """The requests of one session."""

    def __init__(
        self,
        chain: ChainAdapter,
        anchors: Anchors,
        stream: Stream,
        pump: Pump,
        tasks: asyncio.TaskGroup,
    ) -> None:
        """Requests are answered on *stream*, each as one of *tasks*."""
        self._chain = chain
        self._anchors = anchors
        self._stream = stream
        self._pump = pump
        self._tasks = tasks
        self._running = 0

    def begin(self, request: pb.Request) -> None:
        """*request* is worked on; its answer goes out when it is known.

        One too many is refused by its answer; far too many end the session: ``LimitExceeded``.
        """
        _bound("requests", self._running, FLOOD * MAX_RUNNING)
        self._running += 1
        self._tasks.create_task(self._run(request))

    async def _run(self, request: pb.Request) -> None:
        try:
            answer = await self._answer(request)
            answer.request_id = request.request_id
            await self._stream.send(pb.AdapterFrame(answer=answer))
        finally:
            self._running -= 1

    async def _answer(self, request: pb.Request) -> pb.Answer:
        kind = request.WhichOneof("body")
        try:
            _bound("requests", self._running, MAX_RUNNING)
            answer = await self._answer_to(request)
            _bound("bytes of an answer", answer.ByteSize(), MAX_ANSWER_BYTES)
        except (HubError, RemoteError) as error:
            # A stream that ends under a header that was to be shown first is no bug.
            _log.warning("request_refused", kind=kind, reason=error.reason, detail=str(error))
            return pb.Answer(refusal=refusal_to_proto(error))
        except Exception as error:  # noqa: BLE001 - a bug fails one request, not the session
            _log.exception("request_failed", kind=kind)
            return pb.Answer(refusal=refusal_to_proto(error))
        return answer

    async def _answer_to(self, request: pb.Request) -> pb.Answer:
        match request.WhichOneof("body"):
            case "headers":
                return await self._headers(request.headers)
            case "proofs":
                return await self._proofs(request.proofs)
            case "client":
                name = request.client.client
                client = parse_client_id(name) if name else None
                return await self._mirrors(client, request.client.chain_id)
            case "create_client":
                return await self._create_client(request.create_client)
            case "register_counterparty":
                return await self._register_counterparty(request.register_counterparty)
            case None:
                raise FrameInvalid(frame="request", problem="asks for nothing this build knows")

    async def _headers(self, request: pb.HeaderRequest) -> pb.Answer:
        _bound("headers", len(request.heights), MAX_HEADERS)
        found = await self._chain.headers(list(request.heights))
        return headers_answer(found[: _room_for(_header_sizes(found))])

    async def _proofs(self, request: pb.ProofRequest) -> pb.Answer:
        keys = list(request.keys)
        _check_keys(keys)
        if request.height.number:
            at = height_from_proto(request.height)
        else:
            at = (await self._chain.head(None)).height
        if request.batch:
            found = await self._chain.prove_batch(keys, at)
            values, proofs = list(found.values), [found.proof]
        else:
            shown = await self._chain.prove(keys, at)
            shown = shown[: _room_for(len(one.value) + len(one.proof) for one in shown)]
            values, proofs = [one.value for one in shown], [one.proof for one in shown]
        await self._pump.show_header(at)
        self._notice_receipts(keys[: len(values)], values)
        return proofs_answer(at, values, proofs)

    def _notice_receipts(self, keys: list[bytes], values: list[bytes]) -> None:
        """A receipt that the relayer asked after and that exists: it lacks the acknowledgement."""
        for key, value in zip(keys, values, strict=True):
            receipt = _receipt(key) if value else None
            if receipt is not None:
                self._pump.ask_again(*receipt)

    async def _create_client(self, request: pb.CreateClient) -> pb.Answer:
        anchor = self._anchors.of_peer(request.peer, request.chain_id)
        state = _anchored(anchor, request)
        if state is None and self._chain.needs_anchor_header:
            return anchor_header_needed(anchor.height)
        client = await self._chain.create_client(
            anchor, state, ordered=request.ordered, opening=request.opening
        )
        hit(Failpoint.CLIENT_CREATED)
        _log.info(
            "client_created", client=client, peer=request.peer, anchor_height=str(anchor.height)
        )
        return await self._mirrors(client, "")

    async def _register_counterparty(self, request: pb.RegisterCounterparty) -> pb.Answer:
        client = parse_client_id(request.client)
        counterparty = parse_client_id(request.counterparty_client)
        [found] = await self._chain.clients(client, "")
        prefix = self._anchors.of_chain(found.chain_id).prefix
        offered = tuple(request.counterparty_prefix)
        if offered != prefix:
            raise AnchorMismatch(field="prefix", got=str(offered), expected=str(prefix))
        await self._chain.register_counterparty(client, counterparty, prefix)
        _log.info("counterparty_registered", client=client, counterparty=counterparty)
        return await self._mirrors(client, "")

    async def _mirrors(self, client: ClientId | None, chain_id: str) -> pb.Answer:
        found = await self._chain.clients(client, chain_id)
        newest = _newest(found)
        if newest is not None:
            await self._pump.show_header(newest)
        return clients_answer(found)


def _room_for(sizes: Iterable[int]) -> int:
    """How many of the first items, which have these *sizes* in bytes, fit into an answer.

    One does in any case: if it is too large, the answer is refused.
    """
    room = MAX_ANSWER_BYTES - _FRAMING
    count = 0
    for size in sizes:
        room -= size + _FRAMING
        if count and room < 0:
            break
        count += 1
    return count


def _header_sizes(headers: Iterable[Header]) -> Iterator[int]:
    """What each header adds to an answer in bytes: its set only where no other brought it."""
    sets: set[bytes] = set()
    for header in headers:
        size = len(header.content)
        if header.validators not in sets:
            sets.add(header.validators)
            size += len(header.validators)
        yield size


def _newest(clients: tuple[ChainClient, ...]) -> Height | None:
    return max([client.proof_height for client in clients], default=None)


def _anchored(anchor: Anchor, request: pb.CreateClient) -> ConsensusState | None:
    """What the header in *request* shows, which must be the one that *anchor* names; None without.

    Raises as ``LightClient.trust_anchor``.
    """
    if not request.HasField("anchor_header"):
        return None
    header = header_from_proto(request.anchor_header)
    return light_client(anchor.client_type).trust_anchor(anchor, header)


def _receipt(key: bytes) -> tuple[ClientId, int] | None:
    """The client and the sequence whose receipt stands at *key*; None if it is another key."""
    try:
        client = parse_client_id(key[:_CLIENT_END].decode("ascii", "replace"))
    except IdentifierInvalid:
        return None
    sequence = int.from_bytes(key[_SEQUENCE_START:], "big")
    return (client, sequence) if receipt_key(client, sequence) == key else None


def _check_keys(keys: list[bytes]) -> None:
    """The keys are 1 to 256, strictly rising. Raises ``FrameInvalid`` or ``LimitExceeded``."""
    _bound("keys", len(keys), MAX_ITEMS)
    last = b""
    for key in keys:
        if not last < key or len(key) > MAX_KEY_BYTES:
            raise FrameInvalid(frame="proof request", problem="a key does not rise, or is too long")
        last = key
    if not keys:
        raise FrameInvalid(frame="proof request", problem="has no key")


def _bound(what: str, count: int, limit: int) -> None:
    if count > limit:
        raise LimitExceeded(what=what, count=count, limit=limit)
