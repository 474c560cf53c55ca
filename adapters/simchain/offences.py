"""Misbehaviour on demand: shown to the relayer through the chain's own session, and its verdict.

misbehave.py makes what is shown. Here it is only sent, in the order in which an attacker would:
whatever makes the lie plausible first.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from adapters.sdk.chain import Item
from adapters.sdk.submission import Headers, Items
from adapters.simchain.events import PacketSent
from adapters.simchain.misbehave import (
    Forgery,
    Misbehaviour,
    equivocate,
    forge_batch,
    forge_header,
    replay,
)
from adapters.simchain.queries import height_at
from hub.core.errors import FieldInvalid, ProofNotFound
from hub.core.lane import Side
from hub.core.ranges import RangeSet
from hub.wire.packet import encode_packet

if TYPE_CHECKING:
    from adapters.sdk.steps import Lane
    from adapters.sdk.submission import Submission, Verdict
    from adapters.simchain.chain import Chain
    from hub.core.client import Header
    from hub.core.ids import ClientId


class Relayer(Protocol):
    """Who is lied to."""

    async def submit(self, submission: Submission) -> Verdict:
        """What the relayer makes of *submission*. Raises ``AdapterOffline``."""
        ...

    def lane(self, client: ClientId, side: Side) -> Lane:
        """The lane of *client*. Raises ``LaneNotFound`` or ``AdapterOffline``."""
        ...


class Offences:
    """One chain that breaks the rules."""

    def __init__(self, chain: Chain, relayer: Relayer) -> None:
        """Offences of *chain* before *relayer*."""
        self._chain = chain
        self._relayer = relayer

    async def commit(self, kind: Misbehaviour, client: ClientId | None) -> Verdict:
        """The relayer's verdict on the offence.

        *client* is the source client of the lane that it concerns, where it concerns one. Raises
        ``ProofNotFound``, ``LaneNotFound`` or ``AdapterOffline``; ``FieldInvalid`` for a kind that
        lasts, which is a switch and no offence.
        """
        match kind:
            case Misbehaviour.EQUIVOCATE:
                return await self._equivocate()
            case Misbehaviour.FORGE_HEADER:
                forged = forge_header(self._chain, self._chain.height, Forgery.TOO_FEW)
                return await self._show(forged.header)
            case Misbehaviour.FORGE_PROOF:
                return await self._show_packets(self._lane(client), forged=True)
            case Misbehaviour.REPLAY:
                return await self._show_packets(self._lane(client), forged=False)
            case _:
                raise FieldInvalid(field="kind", problem=f"is {kind}, which lasts")

    async def _equivocate(self) -> Verdict:
        number = self._chain.height
        genuine = await self._show(self._chain.light_block(number).header)
        if genuine.refused:
            return genuine
        return await self._show(equivocate(self._chain, number).header)

    async def _show_packets(self, lane: Lane, *, forged: bool) -> Verdict:
        """Packets that were accepted before, with their proof of then.

        A *forged* proof comes with a packet among them that the chain never committed to.
        """
        shown = replay(self._chain, lane.client, self._newest(lane))
        genuine = await self._show(self._chain.light_block(shown.proof_height).header)
        if genuine.refused:
            return genuine
        batch = shown.batch.proof
        packets = list(shown.packets)
        if forged:
            packets[-1] = replace(packets[-1], timeout_timestamp=packets[-1].timeout_timestamp + 1)
        items = tuple([Item(one.sequence, encode_packet(one)) for one in packets])
        return await self._relayer.submit(
            Items(
                lane=lane.key,
                side=Side.SOURCE,
                proof_height=height_at(self._chain, shown.proof_height),
                items=items,
                proof_batch=forge_batch(batch) if forged else batch,
            )
        )

    async def _show(self, header: Header) -> Verdict:
        return await self._relayer.submit(Headers((header,)))

    def _lane(self, client: ClientId | None) -> Lane:
        """The lane that leaves over *client*, or over any. Raises ``LaneNotFound``."""
        own = [client] if client else list(self._chain.ledger.outgoing)
        if not own:
            raise ProofNotFound(name="packets of this chain", kind="commitment")
        return self._relayer.lane(own[-1], Side.SOURCE)

    def _newest(self, lane: Lane) -> int:
        """The newest block that is proven already and all of whose packets on *lane* were accepted.

        Raises ``ProofNotFound``.
        """
        height = self._chain.height - 1
        while (block := self._chain.block(height)) is not None:
            sent = [
                event.packet.sequence
                for event in block.events
                if isinstance(event, PacketSent) and event.packet.source_client == lane.client
            ]
            if sent and not RangeSet.of(sent) - lane.done:
                return height
            height -= 1
        raise ProofNotFound(name=f"accepted packets of {lane.key.name}", kind="commitment")
