"""The hub client of one peer's chain, kept up to date: headers in, verified states out.

One keeper for each peer. Whoever holds the peer's lease gives it a writer (fence and session); to
everyone else it is a reader of what is stored. A header is verified once: its state is cached here
and stored in the registry for all processes.

Source: design section 4, and section 5 "Headers and client updates"; ICS-07.
"""

from __future__ import annotations

import asyncio
from operator import attrgetter
from typing import TYPE_CHECKING, Final, TypeVar

from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.client import VerifiedHeader, check_began
from hub.core.errors import (
    AdapterOffline,
    AnswerOverdue,
    ClientFrozen,
    ClientPending,
    ConsensusStateDiffers,
    ConsensusStateMissing,
    FrameInvalid,
    HubError,
    Reason,
    TrustExpired,
)
from hub.core.time import MILLISECOND, SECOND, Duration
from hub.light_clients.router import light_client
from hub.wire.frames import headers_from_proto
from hub.wire.headers import header_to_proto
from relayer.bisection import Trust, bisection, read
from relayer.failpoints import Failpoint, hit
from relayer.recent import RecentHeaders

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

    from hub.core.client import Anchor, ConsensusState, Header, HubClient
    from hub.core.height import Height
    from hub.core.ids import PeerId
    from hub.core.time import Timestamp
    from hub.ports.caller import Caller
    from hub.ports.clock import Clock
    from hub.ports.leases import Fence
    from hub.ports.registry import Registry
    from relayer.bisection import Bisection
    from relayer.remote import Forwarder, RemoteSession
    from relayer.session import Session

T = TypeVar("T")

BISECTION_WITHIN: Final = Duration(120 * SECOND)
"""After it an adapter is asked for nothing more of one bisection: what it begins with grows old."""


class HeaderKeeper:
    """Verified headers of one peer's chain."""

    def __init__(
        self, registry: Registry, hub_client: HubClient, clock: Clock, pool: Executor, by: Caller
    ) -> None:
        """A keeper that starts from *hub_client* as stored, and freezes it in the name of *by*."""
        self.hub_client = hub_client
        self.light_client = light_client(hub_client.anchor.client_type)
        self._registry = registry
        self._clock = clock
        self._pool = pool
        self._by = by
        self._lock = asyncio.Lock()
        self._writer: tuple[Fence, Session] | None = None
        self._latest: ConsensusState | None = hub_client.latest
        self._recent = RecentHeaders(registry.clients, hub_client.peer)
        self._refreshing = asyncio.Lock()
        self.elsewhere: Forwarder | None = None
        """Asks the process that adds headers, while this one is a reader."""

    @property
    def peer(self) -> PeerId:
        """Whose chain."""
        return self.hub_client.peer

    @property
    def latest(self) -> ConsensusState | None:
        """The newest verified state; None before the anchor's header."""
        return self._latest

    @property
    def expires_at(self) -> int:
        """When this client's trust ends unless a header comes (ns); 0 before the anchor's."""
        period = self.hub_client.anchor.options.trusting_period
        return self._latest.time + period if self._latest is not None else 0

    def attach(self, fence: Fence, session: Session) -> None:
        """From now on headers may be added, and missing ones are asked of *session*."""
        self._writer = (fence, session)

    def detach(self, session: Session) -> None:
        """*session* has ended."""
        if self._writer is not None and self._writer[1] is session:
            self._writer = None

    async def refresh(self) -> None:
        """What other processes stored counts here too."""
        async with self._refreshing:  # so that no older reading comes after a newer one
            before = self.hub_client.anchor
            self.hub_client = await self._registry.clients.hub_client(self.peer)
        if self.hub_client.anchor != before:
            # Started again: what was verified before counts no more.
            self._latest = None
        latest = self.hub_client.latest
        if latest is not None and (self._latest is None or latest.height > self._latest.height):
            self._latest = latest

    @property
    def waits(self) -> bool:
        """Whether the client, not frozen, waits for its anchor's header."""
        return self._latest is None and not self.hub_client.is_frozen

    async def begin(self) -> None:
        """The anchor's header is verified, asked of the adapter unless it was before.

        Raises ``AdapterOffline``, ``ClientFrozen``, or as ``add``.
        """
        async with self._lock:
            if self.waits:
                await self._begin()

    @property
    def _anchor_height(self) -> int:
        """Below it nothing that was verified counts."""
        return self.hub_client.anchor.height.number

    async def state(self, height: int) -> ConsensusState:
        """The verified state at *height*, whenever it was. Raises ``ConsensusStateMissing``."""
        known = await self._recent.state(height)
        if known is None:
            raise ConsensusStateMissing(client=self.hub_client.name, height=height)
        return known

    async def root_at(self, height: Height) -> ConsensusState:
        """The verified state at exactly *height*, whose root may be built on now.

        Raises ``ConsensusStateMissing``, or as ``check_active``.
        """
        self.check_active()
        state = await self.standing(height.number)
        if state.height != height:
            raise ConsensusStateMissing(client=self.hub_client.name, height=height.number)
        return state

    async def standing(self, height: int) -> ConsensusState:
        """The verified state at *height*, from the anchor on: what came before counts no more.

        Raises ``ConsensusStateMissing``.
        """
        if height < self._anchor_height:
            raise ConsensusStateMissing(client=self.hub_client.name, height=height)
        return await self.state(height)

    async def standing_below(self, height: int) -> ConsensusState:
        """The newest verified state below *height*, from the anchor on.

        Raises ``ConsensusStateMissing``.
        """
        latest = self._latest
        if latest is not None and self._anchor_height <= latest.height.number < height:
            return latest
        below = await self._registry.clients.header_at_or_below(self.peer, height - 1)
        if below is None or below.state.height.number < self._anchor_height:
            raise ConsensusStateMissing(client=self.hub_client.name, height=height - 1)
        return below.state

    async def shown(self, height: int) -> tuple[Header, ConsensusState]:
        """The header of *height* and its state: verified from the anchor on, else claimed.

        For other chains' clients, which judge it themselves. Raises as ``header`` or ``claimed``.
        """
        if height < self._anchor_height:
            return await self.claimed(height)
        header = await self.header(height)
        return header, await self.state(height)

    def check_active(self) -> None:
        """What this client verified counts now. Raises ``ClientFrozen`` or ``TrustExpired``.

        Source: ibc-go 02-client, VerifyMembership: by an active client only.
        """
        client, now = self.hub_client, self._clock.now()
        if client.is_frozen:
            raise ClientFrozen(client=client.name, cause=client.frozen_cause)
        if self._latest is not None and now >= self.expires_at:
            raise TrustExpired(expires_at=self.expires_at, now=now)

    async def header(self, height: int) -> Header:
        """The verified header of *height*; the adapter is asked for it where none is stored.

        Raises ``ConsensusStateMissing``, ``AdapterOffline`` or as ``add``.
        """
        known = await self._recent.header(height)
        if known is not None:
            return known
        if self._writer is None and self.elsewhere is not None:
            await self.elsewhere.session(self.peer).have_header(height)
            return await self._stored(height)
        header = await self._fetch(height)
        _check_height(await self.add([header]), height)
        return header

    async def claimed(self, height: int) -> tuple[Header, ConsensusState]:
        """The header of *height* and what it claims; verified only where the hub stores it.

        For headers below the hub's own anchor, which another chain's client may start from and
        judges itself. Raises ``AdapterOffline``, ``Malformed`` or ``VerificationFailed``.
        """
        stored = await self._registry.clients.header(self.peer, height)
        if stored is not None:
            return stored.header, stored.state
        header = await self._fetch(height)
        state = await self._run(self.light_client.read_header, header)
        _check_height([state.height.number], height)
        return header, state

    async def claimed_state(self, height: int) -> ConsensusState:
        """What the header of *height* claims, as ``claimed``; what is stored is read once."""
        known = await self._recent.state(height)
        return known or (await self.claimed(height))[1]

    async def validators_after(self, state: ConsensusState) -> bytes:
        """The bytes of the set that *state* names for the next block. Raises as ``shown``."""
        known = await self._recent.validators(state.next_validators_hash)
        return known or (await self.shown(state.height.number + 1))[0].validators

    async def add(self, headers: Sequence[Header]) -> list[int]:
        """The heights of *headers*, each verified and stored now or before.

        Raises ``ClientFrozen``, ``ClientPending``, ``ConsensusStateDiffers`` after freezing, or
        what the light client raises.
        """
        async with self._lock:
            return [await self._add(header) for header in headers]

    async def climb(self, headers: Sequence[Header]) -> None:
        """Those of *headers* that rise from the newest one are verified, and stored together.

        It ends where that is not so, or one is refused: ``add`` judges each. So headers that wait
        cost one answer of the registry, however slow that is. Raises as ``add``.
        """
        async with self._lock:
            begun_at, anchor = self._latest, self.hub_client.anchor
            verified = await self._risen(begun_at, headers)
            if verified and (self._latest, self.hub_client.anchor) == (begun_at, anchor):
                await self._keep(verified, anchor)

    def latest_verified(self) -> ConsensusState:
        """The newest verified state, whose root may be built on now.

        Raises ``ClientPending`` before the anchor's header, or as ``check_active``.
        """
        if self._latest is None:
            raise ClientPending(client=self.hub_client.name, height=self._anchor_height)
        self.check_active()
        return self._latest

    async def freeze(self, cause: str, first: Header, second: Header, under: Anchor) -> None:
        """The hub client is frozen, and both headers, verified *under* that, are kept as evidence.

        Raises ``ClientPending`` where the client has started again since.
        """
        evidence = (
            Reason.CONSENSUS_STATE_DIFFERS,
            header_to_proto(first).SerializeToString(deterministic=True),
            header_to_proto(second).SerializeToString(deterministic=True),
        )
        await self._registry.clients.freeze(self.peer, cause, evidence, self._by, under)
        await self.refresh()

    async def _add(self, header: Header) -> int:
        claimed, begun = await self._read(header)
        height, anchor = claimed.height.number, self.hub_client.anchor
        if self.hub_client.is_frozen:
            cause = self.hub_client.frozen_cause
            raise ClientFrozen(client=self.hub_client.name, cause=cause)
        if self._latest is None:
            if height == anchor.height.number:
                await self._trust_anchor(anchor, header)
                return height
            latest = await self._begin()
        else:
            latest = self._latest
        stored = await self._stored_state(height)
        if stored is not None and stored.header_hash == claimed.header_hash:
            return height
        above = None
        if height < latest.height.number:
            above = await self._registry.clients.header_above(self.peer, height)
        if stored is None and above is not None and await self._precedes(header, above):
            await self._keep([VerifiedHeader(header=header, state=claimed)], anchor)
            return height
        trusted = await self.standing_below(height)
        way = await self._way(begun, trusted, header, height)
        verified = await self._prove(way)
        other = stored
        if other is None and above is not None:
            beside = [trusted, above.state]
            other = self.light_client.find_conflict(claimed, beside)
            if above.state.height.number == height + 1:
                other = above.state  # it names another block before it
        if other is not None:
            await self._contradicted(other, claimed, header, way.trust.anchor)
        await self._keep(verified, way.trust.anchor)
        return height

    async def _risen(
        self, trusted: ConsensusState | None, headers: Sequence[Header]
    ) -> list[VerifiedHeader]:
        """The first of *headers*, as many as rise from *trusted* and from each other."""
        verified: list[VerifiedHeader] = []
        for header in headers:
            if trusted is None or self.hub_client.is_frozen:
                break
            trust = await self._trust(trusted)
            try:
                _, begun = await self._run(read, self.light_client, header, trust)
            except HubError:
                break
            if begun is None or begun.needed is not None:
                break
            verified += begun.verified
            trusted = verified[-1].state
        return verified

    async def _precedes(self, header: Header, above: VerifiedHeader) -> bool:
        """*header* is the block that the verified *above* names: proven without a signature."""
        return await self._run(self.light_client.links_to, header, above.header)

    async def _contradicted(
        self, stored: ConsensusState, claimed: ConsensusState, header: Header, under: Anchor
    ) -> None:
        """A *header* that was verified *under* that contradicts a stored one: the client freezes.

        Raises ``ConsensusStateDiffers``.
        """
        first = await self._recent.header(stored.height.number)
        cause = f"two truths at height {claimed.height.number}"
        await self.freeze(cause, first or header, header, under)
        raise ConsensusStateDiffers(
            client=self.hub_client.name,
            height=claimed.height.number,
            got=claimed.header_hash.hex(),
            stored=stored.header_hash.hex(),
        )

    async def _read(self, header: Header) -> tuple[ConsensusState, Bisection | None]:
        """What *header* claims, and how far it is verified where it is above the newest one."""
        latest, trust = self._latest, None
        if latest is not None and not self.hub_client.is_frozen:
            trust = await self._trust(latest)
        return await self._run(read, self.light_client, header, trust)

    async def _trust(self, trusted: ConsensusState) -> Trust:
        """What the header after *trusted* is judged by now."""
        return Trust(
            client=self.light_client,
            anchor=self.hub_client.anchor,
            state=trusted,
            validators=await self._recent.validators(trusted.next_validators_hash),
            now=self._clock.now(),
        )

    async def _way(
        self, begun: Bisection | None, trusted: ConsensusState, header: Header, height: int
    ) -> Bisection:
        """The way from *trusted* to *header*: what is *begun*, if nothing has changed meanwhile."""
        now = (trusted, self.hub_client.anchor)
        if begun is not None and (begun.trust.state, begun.trust.anchor) == now:
            return begun
        return bisection(await self._trust(trusted), header, height)

    async def _prove(self, way: Bisection) -> list[VerifiedHeader]:
        """The header that *way* leads to, and those that trust needs before it, each verified.

        Where it fails on the way up, what is verified so far is kept: the next try goes on there.
        """
        begun_at = self._clock.monotonic()
        try:
            while way.needed is not None:
                if way.needed:
                    self._check_patience(begun_at)
                sent = await self._fetch(way.needed) if way.needed else None
                await self._run(way.proceed, sent)
        except HubError:
            latest = self._latest
            if way.verified and latest is not None and way.height > latest.height.number:
                await self._keep(way.verified, way.trust.anchor)
            raise
        return way.verified

    def _check_patience(self, begun_at: Timestamp) -> None:
        """A bisection *begun_at* may go on. Raises ``AnswerOverdue``."""
        if self._clock.monotonic() - begun_at >= BISECTION_WITHIN:
            waited_ms = BISECTION_WITHIN // MILLISECOND
            raise AnswerOverdue(what="headers of a bisection", waited_ms=waited_ms)

    async def _begin(self) -> ConsensusState:
        """The anchor's state; its header is asked of the adapter."""
        anchor = self.hub_client.anchor
        return await self._trust_anchor(anchor, await self._fetch(anchor.height.number))

    async def _trust_anchor(self, anchor: Anchor, header: Header) -> ConsensusState:
        state = await self._run(self.light_client.trust_anchor, anchor, header)
        await self._keep([VerifiedHeader(header=header, state=state)], anchor)
        return state

    async def _stored_state(self, height: int) -> ConsensusState | None:
        if self._latest is not None and height > self._latest.height.number:
            return None
        return await self._recent.state(height)

    async def _keep(self, verified: Sequence[VerifiedHeader], anchor: Anchor) -> None:
        """*verified* under *anchor* are stored, and believed unless the client starts again.

        Raises ``ClientPending`` where it does, or as ``Clients.add_headers``.
        """
        if self._writer is None:
            raise AdapterOffline(peer=self.peer)
        client = self.hub_client.name
        check_began(client, self.hub_client.anchor, anchor)
        await self._registry.clients.add_headers(self._writer[0], anchor, verified)
        hit(Failpoint.HEADER_VERIFIED)
        self._recent.keep(verified)
        check_began(client, self.hub_client.anchor, anchor)  # it may have, while they were stored
        newest = max([entry.state for entry in verified], key=attrgetter("height"))
        if self._latest is None or newest.height > self._latest.height:
            self._latest = newest

    async def _stored(self, height: int) -> Header:
        """The header of *height*, which another process has stored, it says."""
        found = await self._recent.header(height)
        if found is None:
            raise ConsensusStateMissing(client=self.hub_client.name, height=height)
        return found

    async def _fetch(self, height: int) -> Header:
        """What the adapter says is the header of *height*, unread."""
        session: Session | RemoteSession
        if self._writer is not None:
            session = self._writer[1]
        elif self.elsewhere is not None:
            session = self.elsewhere.session(self.peer)
        else:
            raise AdapterOffline(peer=self.peer)
        request = pb.Request(headers=pb.HeaderRequest(heights=[height]))
        headers = headers_from_proto((await session.request(request)).headers)
        if len(headers) != 1:
            raise FrameInvalid(frame="answer", problem=f"has {len(headers)} headers, not one")
        return headers[0]

    async def _run(self, function: Callable[..., T], *args: object) -> T:
        """*function* in the verification pool: the signature libraries release the interpreter."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *args)


def _check_height(got: list[int], expected: int) -> None:
    if got != [expected]:
        problem = f"has a header of height {got[0]}, asked for {expected}"
        raise FrameInvalid(frame="answer", problem=problem)
