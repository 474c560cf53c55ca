"""Clients that live on one peer's chain: what they trust, and the shortest way to teach them more.

The hub only mirrors them. What it believes of them plans updates and proves that a lane was opened
between the right clients; a wrong belief costs an attempt, never safety, for the chain's own client
judges every header.

Source: design section 5, "Headers and client updates"; ICS-02, UpdateClient.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.client import ChainClient
from hub.core.errors import (
    ChainUnreachable,
    ClientNotFound,
    ClientPending,
    FrameInvalid,
    LimitExceeded,
    TrustExpired,
)
from hub.core.ids import parse_client_id
from hub.core.paths import client_state_key, counterparty_key
from hub.light_clients.cometbft.client_state import (
    ClientState,
    Counterparty,
    decode_client_state,
    decode_counterparty,
)
from hub.wire.headers import header_to_proto, height_from_proto, height_to_proto
from relayer.refusals import read_refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ydhub.client.v1 import client_pb2

    from hub.core.client import ConsensusState, Header
    from hub.core.height import Height
    from hub.core.ids import ClientId, PeerId
    from hub.core.time import Timestamp
    from relayer.headers import HeaderKeeper
    from relayer.remote import RemoteSession
    from relayer.session import Session

MAX_STEPS: Final = 64
MAX_BYTES: Final = 1024 * 1024
"""Of the updates of one execution; the last one may be over."""
MAX_LEGS: Final = 64
"""Executions that lead a client to one height."""
MAX_MIRRORS: Final = 8192
"""Clients that are remembered; the one that was asked for first is forgotten first."""
MAX_HEIGHTS: Final = 64
"""Trusted heights that are believed of one client; an adapter may not name more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """A chain client as its chain proves it, and the heights that its adapter says it trusts."""

    client: ClientId
    state: ClientState
    counterparty: Counterparty | None
    """None while none is registered."""
    trusted: tuple[int, ...]
    """Rising."""
    pending_height: int
    """Height of its anchor while it waits for that header; else 0."""
    opening: str
    """What it was created for, if its chain or adapter remembers."""

    def record(self, peer: PeerId) -> ChainClient | None:
        """What the registry keeps of it; None before its anchor's header."""
        if self.state.latest_height is None:
            return None
        bound = self.counterparty
        return ChainClient(
            peer=peer,
            client=self.client,
            chain_id=self.state.chain_id,
            latest_height=self.state.latest_height,
            is_frozen=self.state.is_frozen,
            options=self.state.options,
            counterparty=bound.client if bound else None,
            counterparty_prefix=bound.prefix if bound else (),
        )


class ChainClients:
    """The clients of one attached chain, by native id."""

    def __init__(self, session: Session | RemoteSession, keeper: HeaderKeeper) -> None:
        """Clients behind *session*, proven under the roots of *keeper*'s chain."""
        self._session = session
        self._keeper = keeper
        self._mirrors: dict[ClientId, Mirror] = {}

    def knows(self, client: ClientId) -> bool:
        """Whether the client was asked of the adapter, and not forgotten."""
        return client in self._mirrors

    async def mirror(self, client: ClientId) -> Mirror:
        """The client, asked of the adapter once. Raises as ``query``."""
        known = self._mirrors.get(client)
        return known or await self.query(client)

    async def query(self, client: ClientId) -> Mirror:
        """The client as its adapter shows it now, proven under a verified root that still counts.

        Raises ``AdapterOffline``, ``AnswerOverdue``, ``ChainUnreachable``, ``ClientNotFound``,
        ``ConsensusStateMissing``, ``VerificationFailed`` or ``Malformed``.
        """
        answer = await self._session.request(pb.Request(client=pb.ClientQuery(client=client)))
        if not answer.clients.clients:
            raise ClientNotFound(name=f"peers/{self._session.peer}/clients/{client}")
        return await self.take(answer.clients, client)

    async def take(self, answer: pb.ClientAnswer, client: ClientId | None = None) -> Mirror:
        """The one client of *answer*, proven; *client* where it is known which. As ``query``."""
        if len(answer.clients) != 1:
            problem = f"names {len(answer.clients)} clients, not one"
            raise FrameInvalid(frame="answer", problem=problem)
        mirror = await self._prove(answer.clients[0])
        if client is not None and mirror.client != client:
            problem = f"names {mirror.client}, asked for {client}"
            raise FrameInvalid(frame="answer", problem=problem)
        self._mirrors[mirror.client] = mirror
        if len(self._mirrors) > MAX_MIRRORS:
            self.forget(next(iter(self._mirrors)))
        return mirror

    def forget(self, client: ClientId) -> None:
        """The client is asked for again when it is needed."""
        self._mirrors.pop(client, None)

    def reported(self, client: ClientId, trusted: Sequence[Height]) -> None:
        """After an execution its adapter says that the client trusts these heights."""
        heights = tuple(sorted({height.number for height in trusted}))
        known = self._mirrors.get(client)
        if known is not None and heights:
            self._mirrors[client] = replace(known, trusted=heights, pending_height=0)

    async def reaches(self, client: ClientId, height: int) -> bool:
        """Whether updates can make *client* trust *height*; else only a newer one will do.

        Raises as ``query``.
        """
        mirror = await self.mirror(client)
        lowest = min(mirror.trusted, default=mirror.pending_height)
        return 0 < lowest <= height

    async def updates(
        self, client: ClientId, source: HeaderKeeper, target: int, now: Timestamp
    ) -> list[pb.UpdateStep]:
        """The shortest updates found that make *client* trust *source*'s header at *target*.

        Empty where it does already. A client that is too far behind for one execution is led
        nearer by others first. Raises ``ClientPending``, ``TrustExpired``, ``LimitExceeded``,
        ``ConsensusStateMissing``, or ``AdapterOffline`` where a header between is missing and
        cannot be asked for.
        """
        for _ in range(MAX_LEGS):
            steps, reached = await self._plan(client, source, target, now)
            if reached == target:
                self._assume(client, target)
                return steps
            await self._lead(client, steps)
        raise LimitExceeded(what="updates of a client", count=MAX_LEGS + 1, limit=MAX_LEGS)

    async def _plan(
        self, client: ClientId, source: HeaderKeeper, target: int, now: Timestamp
    ) -> tuple[list[pb.UpdateStep], int]:
        """Updates towards *target* that one execution holds, and the height that they reach."""
        mirror = await self.mirror(client)
        if target in mirror.trusted:
            return [], target
        below = [height for height in mirror.trusted if height < target]
        if not below:
            if not mirror.pending_height or mirror.pending_height > target:
                height = mirror.pending_height or target
                raise ClientPending(client=str(client), height=height)
            below = [mirror.pending_height]
        trusted, steps = await source.claimed_state(below[-1]), []
        if not mirror.trusted:
            steps = [_step(None, b"", (await source.claimed(below[-1]))[0])]
        expires_at = trusted.time + mirror.state.options.trusting_period
        if now >= expires_at:
            raise TrustExpired(expires_at=expires_at, now=now)
        size = 0
        while trusted.height.number != target and len(steps) < MAX_STEPS and size < MAX_BYTES:
            step, trusted = await self._furthest(mirror, source, trusted, target)
            steps.append(step)
            size += step.ByteSize()
        return steps, trusted.height.number

    async def _lead(self, client: ClientId, steps: list[pb.UpdateStep]) -> None:
        """*client* is updated by *steps* alone. Raises ``ChainUnreachable`` if it is not."""
        report = await self._session.execute(pb.Execution(client=client, updates=steps))
        heights = read_heights(report.trusted_heights)
        self.forget(client)
        if report.refused:
            refusal = read_refusal(report.refused[0])
            problem = f"{refusal.reason}: {refusal.detail}"
            raise ChainUnreachable(chain=f"peers/{self._session.peer}", problem=problem)
        await self.mirror(client)
        self.reported(client, heights)

    async def _furthest(
        self, mirror: Mirror, source: HeaderKeeper, trusted: ConsensusState, target: int
    ) -> tuple[pb.UpdateStep, ConsensusState]:
        """One update from *trusted* towards *target*, halving the way until trust suffices."""
        anchor = replace(source.hub_client.anchor, options=mirror.state.options)
        validators = await source.validators_after(trusted)
        low, height = trusted.height.number, target
        while True:
            header, state = await source.shown(height)
            follows = source.light_client.may_follow(anchor, trusted, validators, header)
            if follows or height == low + 1:
                return _step(trusted.height, validators, header), state
            height = (low + height) // 2

    def _assume(self, client: ClientId, target: int) -> None:
        """Executions run in order, so what is on its way counts as trusted already."""
        known = self._mirrors.get(client)
        if known is not None and target not in known.trusted:
            trusted = tuple(sorted({*known.trusted, target}))[-MAX_HEIGHTS:]
            self._mirrors[client] = replace(known, trusted=trusted)

    async def _prove(self, client: pb.ClientMirror) -> Mirror:
        """What *client* claims, shown under a verified root of its chain."""
        native = parse_client_id(client.client)
        height = height_from_proto(client.proof_height).number
        stored = decode_client_state(client.client_state)
        await self._keeper.header(height)
        await self._member(
            height, client_state_key(native), client.client_state, client.client_state_proof
        )
        counterparty = None
        if client.counterparty:
            counterparty = decode_counterparty(client.counterparty)
            await self._member(
                height, counterparty_key(native), client.counterparty, client.counterparty_proof
            )
        trusted = {height.number for height in read_heights(client.trusted_heights)}
        pending = client.pending_height
        return Mirror(
            client=native,
            state=stored,
            counterparty=counterparty,
            trusted=tuple(sorted(trusted)),
            pending_height=height_from_proto(pending).number if pending.number else 0,
            opening=client.opening,
        )

    async def _member(self, height: int, key: bytes, value: bytes, proof: bytes) -> None:
        """*value* stands at *key* under the verified root at *height*."""
        keeper = self._keeper
        root = (await keeper.standing(height)).root
        prefix = keeper.hub_client.anchor.prefix
        keeper.light_client.verify_membership(root, prefix, key, value, proof)


def read_heights(heights: Sequence[client_pb2.Height]) -> list[Height]:
    """The heights that a client is said to trust. Raises ``LimitExceeded``, ``HeightInvalid``."""
    if len(heights) > MAX_HEIGHTS:
        raise LimitExceeded(what="trusted heights", count=len(heights), limit=MAX_HEIGHTS)
    return [height_from_proto(height) for height in heights]


def _step(trusted: Height | None, validators: bytes, header: Header) -> pb.UpdateStep:
    step = pb.UpdateStep(header=header_to_proto(header), trusted_validators=validators)
    if trusted is not None:
        step.trusted_height.CopyFrom(height_to_proto(trusted))
    return step
