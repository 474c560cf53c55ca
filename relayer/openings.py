"""Open lanes: find or create both chain clients, bind them, prove everything, record the lanes.

Every step asks the chains first, so an opening that was cut off goes on where it stopped and does
nothing twice. Each city creates its client from its own operator's anchor; the hub offers none.

Source: design section 3, "lane open"; ICS-02 v2 (CreateClient, RegisterCounterparty).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import (
    ChainIdMismatch,
    ChainUnreachable,
    ClientFrozen,
    Conflict,
    FieldInvalid,
    FrameInvalid,
    HubError,
    LaneExists,
    Malformed,
    NotFound,
    TrustExpired,
)
from hub.core.lane import LaneKey, Order
from hub.ports.registry import Change, Topic
from hub.wire.headers import header_to_proto, height_from_proto
from relayer.failpoints import Failpoint, hit
from relayer.passing import next_to_receive, next_to_send
from relayer.refusals import read_refusal

if TYPE_CHECKING:
    from collections.abc import Set

    from hub.core.ids import ClientId, PeerId
    from hub.core.time import Timestamp
    from hub.ports.lanes import Opening
    from relayer.chain_clients import Mirror
    from relayer.headers import HeaderKeeper
    from relayer.remote import RemoteSession
    from relayer.session import Session
    from relayer.switchboard import Switchboard

_log = structlog.get_logger()

_FINAL = (Malformed, NotFound, Conflict, ChainIdMismatch)
"""Errors that trying again cannot mend."""


@dataclass(frozen=True, slots=True)
class _End:
    """One end of the pair: a peer, and the client there that verifies the other."""

    peer: PeerId
    wanted: ClientId | None
    """To adopt; None to create one."""


class Openings:
    """The openings whose source this process owns."""

    def __init__(self, board: Switchboard, attached: Set[PeerId]) -> None:
        """Openings over the sessions of *board* with the adapters *attached* here."""
        self._board = board
        self._attached = attached
        self.tries: dict[int, asyncio.Task[None]] = {}
        """By number those that are being taken as far as they go."""

    async def start_all(self) -> None:
        """Every running opening from a peer attached here is being taken as far as it goes.

        The other end may be attached to another process, but to one it must be. Nobody waits for
        them: an adapter that is slow to answer holds up its own alone, and none that comes later.
        """
        tried = set(self.tries)  # one that ends from now on may be read as it was before
        running = await self._board.registry.lanes.running_openings()
        ours = [opening for opening in running if opening.plan.source in self._attached]
        attached = set(self._attached)
        if any(opening.plan.destination not in attached for opening in ours):
            attached |= {lease.peer for lease in await self._board.registry.leases.all()}
        for opening in ours:
            if opening.plan.destination in attached and opening.number not in tried:
                self._start(opening)

    async def end(self) -> None:
        """Nothing is taken further any more."""
        tries = list(self.tries.values())
        for task in tries:
            task.cancel()
        await asyncio.gather(*tries, return_exceptions=True)

    def _start(self, opening: Opening) -> None:
        number = opening.number
        task = self.tries[number] = asyncio.get_running_loop().create_task(self._run(opening))
        task.add_done_callback(lambda _: self.tries.pop(number, None))

    async def _run(self, opening: Opening) -> None:
        """One try, whose end is noted; what the registry does not take is tried again."""
        try:
            await self._try(opening)
        except HubError as error:
            _log.warning("opening_not_noted", opening=opening.name, reason=error.reason)
        except Exception:  # noqa: BLE001 - a bug costs one try of one opening
            _log.exception("opening_broke", opening=opening.name)

    async def _try(self, opening: Opening) -> None:
        lanes = self._board.registry.lanes
        try:
            await self._open(opening)
        except HubError as error:
            failed = isinstance(error, _FINAL)
            _log.warning(
                "opening_stopped",
                opening=opening.name,
                reason=error.reason,
                detail=str(error),
                failed=failed,
            )
            step = "failed" if failed else "trying again"
            await lanes.note_opening(opening.number, step=step, error=error, failed=failed)

    async def _open(self, opening: Opening) -> None:
        plan = opening.plan
        source = _End(plan.source, plan.source_client)
        destination = _End(plan.destination, plan.destination_client)
        ordered = plan.order is Order.ENFORCED
        if ordered:
            for end in (source, destination):
                await _check_enforceable(self._board.reach(end.peer))
        await self._note(opening, "creating or adopting clients")
        here = await self._client(opening, source, destination, ordered=ordered)
        there = await self._client(opening, destination, source, ordered=ordered)
        await self._note(opening, "binding clients to each other")
        here = await self._bind(source, destination, here, there)
        there = await self._bind(destination, source, there, here)
        for mirror in (here, there):
            _check_order(mirror, ordered=ordered)
        await self._note(opening, "updating clients")
        here = await self._teach(source, destination, here)
        there = await self._teach(destination, source, there)
        await self._note(opening, "proving next sequences")
        lane = LaneKey(source.peer, here.client, destination.peer, there.client)
        next_sequence = await self._next_sequence(lane, ordered=ordered)
        first = plan.from_sequence or next_sequence
        if first > next_sequence:
            problem = f"{first} is beyond the next one, {next_sequence}"
            raise FieldInvalid(field="from_sequence", problem=problem)
        back = await self._next_sequence(lane.reverse, ordered=ordered)
        await self._board.registry.lanes.finish_opening(
            opening.number, [(lane, first), (lane.reverse, back)]
        )
        _log.info("lane_opened", lane=lane.name, first_sequence=first)
        self._board.registry.changes.announce(Change(Topic.LANES, ""))

    async def _note(self, opening: Opening, step: str) -> None:
        hit(Failpoint.OPENING_STEPPED)
        await self._board.registry.lanes.note_opening(
            opening.number, step=step, error=None, failed=False
        )

    async def _client(self, opening: Opening, end: _End, other: _End, *, ordered: bool) -> Mirror:
        """The client on *end*'s chain that verifies *other*'s: adopted, found again, or new."""
        clients = await self._board.reach_clients(end.peer)
        keeper = await self._board.keeper(other.peer)
        chain_id = keeper.hub_client.anchor.chain_id
        if end.wanted is not None:
            mirror = await clients.query(end.wanted)
        else:
            create = pb.CreateClient(
                peer=f"peers/{other.peer}",
                chain_id=chain_id,
                ordered=ordered,
                opening=opening.name,
            )
            mirror = await clients.take(await self._create(end.peer, keeper, create))
        if mirror.state.chain_id != chain_id:
            raise ChainIdMismatch(got=mirror.state.chain_id, expected=chain_id)
        if mirror.state.is_frozen:
            name = f"peers/{end.peer}/clients/{mirror.client}"
            raise ClientFrozen(client=name, cause="frozen on its own chain")
        return mirror

    async def _create(
        self, peer: PeerId, other: HeaderKeeper, create: pb.CreateClient
    ) -> pb.ClientAnswer:
        """The client that *peer*'s adapter created; it is given its anchor's header if it asks.

        That header is claimed only: the adapter compares it with the anchor, which the hub has not.
        """
        session = self._board.reach(peer)
        answer = await session.request(pb.Request(create_client=create))
        if answer.HasField("anchor_header_needed"):
            height = height_from_proto(answer.anchor_header_needed.height)
            header, _ = await other.claimed(height.number)
            create.anchor_header.CopyFrom(header_to_proto(header))
            answer = await session.request(pb.Request(create_client=create))
        if not answer.HasField("clients"):
            problem = "asks for the anchor's header, which it has got"
            raise FrameInvalid(frame="answer", problem=problem)
        return answer.clients

    async def _bind(self, end: _End, other: _End, client: Mirror, there: Mirror) -> Mirror:
        """*client* with its counterparty proven to be *there*. Raises ``LaneExists`` if another."""
        prefix = (await self._board.keeper(other.peer)).hub_client.anchor.prefix
        if client.counterparty is None:
            register = pb.RegisterCounterparty(
                client=client.client,
                counterparty_client=there.client,
                counterparty_prefix=prefix,
            )
            session = self._board.reach(end.peer)
            answer = await session.request(pb.Request(register_counterparty=register))
            client = await (await self._board.reach_clients(end.peer)).take(
                answer.clients, client.client
            )
        bound = client.counterparty
        if bound is None or (bound.client, bound.prefix) != (there.client, prefix):
            other_end = bound.client if bound else "none"
            name = f"peers/{end.peer}/clients/{client.client}, bound to {other_end}"
            raise LaneExists(name=name)
        return client

    async def _teach(self, end: _End, other: _End, client: Mirror) -> Mirror:
        """*client*, active: one that waits for its anchor's header is given it, and the newest."""
        clients = await self._board.reach_clients(end.peer)
        keeper = await self._board.keeper(other.peer)
        now = self._board.clock.now()
        if not client.pending_height:
            await _check_trust(client, keeper, now)
            return client
        latest = keeper.latest_verified()
        updates = await clients.updates(client.client, keeper, latest.height.number, now)
        execution = pb.Execution(client=client.client, updates=updates)
        report = await self._board.reach(end.peer).execute(execution)
        clients.forget(client.client)
        if report.refused:
            refusal = read_refusal(report.refused[0])
            problem = f"{refusal.reason}: {refusal.detail}"
            raise ChainUnreachable(chain=f"peers/{end.peer}", problem=problem)
        return await clients.query(client.client)

    async def _next_sequence(self, lane: LaneKey, *, ordered: bool) -> int:
        """Where *lane* begins, proven: at the next sequence that the source gives out.

        What an ordered gateway has not received yet it is to be shown before: there it begins.
        """
        if ordered:
            return await next_to_receive(
                self._board, lane.destination_peer, lane.destination_client
            )
        return await next_to_send(self._board, lane.source_peer, lane.source_client)


async def _check_enforceable(session: Session | RemoteSession) -> None:
    """The chain behind *session* can enforce order. Raises ``FieldInvalid``."""
    hello = await session.introduced()
    if not hello.order_enforceable:
        chain = f"the gateway on {hello.chain_id} of peers/{session.peer}"
        problem = f"enforced is more than {chain} can do; best-effort is what it offers"
        raise FieldInvalid(field="order", problem=problem)


async def _check_trust(mirror: Mirror, other: HeaderKeeper, now: Timestamp) -> None:
    """The client can still be updated. Raises ``TrustExpired``, or as ``HeaderKeeper.claimed``."""
    if mirror.trusted:
        newest = await other.claimed_state(mirror.trusted[-1])
        expires_at = newest.time + mirror.state.options.trusting_period
        if now >= expires_at:
            raise TrustExpired(expires_at=expires_at, now=now)


def _check_order(mirror: Mirror, *, ordered: bool) -> None:
    """The client's gateway enforces order just where it shall. Raises ``FieldInvalid``."""
    bound = mirror.counterparty
    if bound is not None and bound.ordered != ordered:
        does = "enforces" if bound.ordered else "does not enforce"
        raise FieldInvalid(field="order", problem=f"is another: {mirror.client} {does} it")
