"""The shortest updates that lead a light client from one header to another, halving as needed.

Source: design section 5, "Headers and client updates"; ICS-07, skipping verification.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from hub.core.client import Anchor, ConsensusState, Header
    from hub.core.height import Height
    from hub.light_clients.interface import LightClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A header, and from where to verify it."""

    trusted_height: Height | None
    """None for the anchor's own header."""
    trusted_validators: bytes
    header: Header


class Headers(Protocol):
    """The headers of one chain, by block number."""

    async def header(self, number: int) -> Header:
        """The header of that block. Raises ``HubError`` or ``Failed``."""
        ...

    async def validators_after(self, state: ConsensusState) -> bytes:
        """The canonical bytes of the set that *state* names as next. Raises as ``header``."""
        ...


async def plan(
    light_client: LightClient, anchor: Anchor, chain: Headers, trusted: int, target: int
) -> list[Step]:
    """The updates from the header at *trusted* to the one at *target*, above it."""
    steps: list[Step] = []
    state = light_client.read_header(await chain.header(trusted))
    while state.height.number < target:
        validators = await chain.validators_after(state)
        header = await _furthest(light_client, anchor, chain, (state, validators), target)
        step = Step(trusted_height=state.height, trusted_validators=validators, header=header)
        steps.append(step)
        state = light_client.read_header(header)
    return steps


async def _furthest(
    light_client: LightClient,
    anchor: Anchor,
    chain: Headers,
    trusted: tuple[ConsensusState, bytes],
    target: int,
) -> Header:
    """The header nearest to *target*, by halving the way, that the trusted set signed enough of."""
    low, height = trusted[0].height.number, target
    while True:
        header = await chain.header(height)
        if height == low + 1 or light_client.may_follow(anchor, *trusted, header):
            return header
        height = (low + height) // 2
