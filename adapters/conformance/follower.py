"""The examiner's own light client of the adapter's chain, from the operator's anchor alone.

Source: design section 4; ICS-07. Headers in between are asked of the adapter, as a relayer does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from adapters.conformance.updates import plan
from hub.core.errors import AnchorMismatch, ConsensusStateDiffers, HeaderNotFound
from hub.light_clients.interface import NeedsBisection
from hub.light_clients.router import light_client

if TYPE_CHECKING:
    from adapters.conformance.updates import Step
    from adapters.sdk.clock import Clock
    from hub.core.client import Anchor, ConsensusState, Header
    from hub.light_clients.interface import LightClient


class Source(Protocol):
    """Where headers that were not shown are asked for."""

    async def ask_header(self, number: int) -> Header:
        """The adapter's header of that block, nothing of it believed. Raises ``HubError``."""
        ...


class Follower:
    """Verified headers of the adapter's chain."""

    def __init__(self, anchor: Anchor, source: Source, clock: Clock) -> None:
        """None verified yet; those that lack are asked of *source*."""
        self.anchor = anchor
        self.light_client: LightClient = light_client(anchor.client_type)
        self._source = source
        self._clock = clock
        self._states: dict[int, ConsensusState] = {}
        self._headers: dict[int, Header] = {}
        self._sets: dict[bytes, bytes] = {}
        """Canonical validator sets by their hash."""

    @property
    def newest(self) -> ConsensusState | None:
        """The highest verified header's; None before the anchor's."""
        return self._states[max(self._states)] if self._states else None

    def state(self, number: int) -> ConsensusState:
        """What the verified header at *number* shows. Raises ``HeaderNotFound``."""
        if number not in self._states:
            raise HeaderNotFound(client=self.anchor.chain_id, height=number)
        return self._states[number]

    async def header(self, number: int) -> Header:
        """The header at *number*, verified. Raises ``HubError`` or ``Failed``."""
        if number not in self._headers:
            await self.add(await self._source.ask_header(number))
        return self._headers[number]

    async def add(self, header: Header) -> ConsensusState:
        """What *header*, verified now, shows. Raises ``HubError``: it is not of this chain."""
        claimed = self._read(header)
        number = claimed.height.number
        known = self._states.get(number)
        if known is not None:
            if known != claimed:
                got, stored = claimed.header_hash.hex(), known.header_hash.hex()
                raise ConsensusStateDiffers(
                    client=self.anchor.chain_id, height=number, got=got, stored=stored
                )
            return known
        below = max([height for height in self._states if height < number], default=0)
        if below:
            state = await self._follow(below, header)
        else:
            state = self._begin(header, claimed)
        self._states[number], self._headers[number] = state, header
        return state

    async def steps(self, trusted: int, target: int) -> list[Step]:
        """Updates that lead a client from *trusted* to *target*."""
        return await plan(self.light_client, self.anchor, self, trusted, target)

    def _begin(self, header: Header, claimed: ConsensusState) -> ConsensusState:
        if self._states:
            got, wanted = str(claimed.height), f"over {self.anchor.height}"
            raise AnchorMismatch(field="height", got=got, expected=wanted)
        return self.light_client.trust_anchor(self.anchor, header)

    async def validators_after(self, state: ConsensusState) -> bytes:
        """The set that *state* names as next. Raises ``HubError`` or ``Failed``."""
        if state.next_validators_hash not in self._sets:
            self._read(await self._source.ask_header(state.height.number + 1))
        # A set that is another one is refused by whoever verifies with it.
        return self._sets.get(state.next_validators_hash, b"")

    async def _follow(self, below: int, header: Header) -> ConsensusState:
        trusted, now = self._states[below], self._clock.now()
        validators = await self.validators_after(trusted)
        verdict = self.light_client.verify_header(self.anchor, trusted, validators, header, now=now)
        if not isinstance(verdict, NeedsBisection):
            return verdict.state
        number = self.light_client.read_header(header).height.number
        if number == below + 1:
            raise verdict.shortfall
        await self.header((below + number) // 2)
        return await self._follow((below + number) // 2, header)

    def _read(self, header: Header) -> ConsensusState:
        claimed = self.light_client.read_header(header)
        self._sets[self.light_client.hash_validators(header.validators)] = header.validators
        return claimed
