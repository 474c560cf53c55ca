"""Evidence of misbehaviour that anyone can judge: two headers, and headers that lead below each.

The hub hands out what it has verified; who judges it trusts his own anchor alone. Evidence of two
outcomes or two packets is handed out as it came, without chains: its frame has its own proof.

Source: design sections 1 and 4; ICS-02, misbehaviour predicate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.core.accusation import AccusedSide
from hub.core.errors import EvidenceNotFound, FieldInvalid, HeaderNotFound, Reason
from hub.exchange.claims import verify_chain
from hub.exchange.header_chain import header_chain, lowest_start
from hub.light_clients.router import light_client

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.core.client import Anchor, ConsensusState, Header
    from hub.core.ids import PeerId
    from hub.core.time import Timestamp
    from hub.light_clients.interface import LightClient
    from hub.ports.clients import Evidence
    from hub.ports.registry import Registry

HEADERS = Reason.CONSENSUS_STATE_DIFFERS
"""The reason of evidence that is two headers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenMisbehaviour:
    """What evidence shows: two blocks of one chain that contradict each other."""

    first: ConsensusState
    second: ConsensusState


async def fetch(
    registry: Registry,
    peer: PeerId,
    number: int,
    start: int,
    decode: Callable[[bytes], Header],
) -> tuple[Evidence, tuple[AccusedSide, ...]]:
    """The evidence of that *number*, and where it is two headers both sides of it.

    Their chains begin at the height *start*; 0 means the lowest.

    *decode* reads a header's canonical bytes. Raises ``ClientNotFound``, ``EvidenceNotFound``,
    ``HeaderNotFound``, ``FieldInvalid`` or ``LimitExceeded``.
    """
    client = await registry.clients.hub_client(peer)
    kept = await registry.clients.evidence(peer)
    found = next((entry for entry in kept if entry.number == number), None)
    if found is None:
        raise EvidenceNotFound(name=f"{client.name}/evidence/{number}")
    if found.reason is not HEADERS:
        return found, ()
    sides = [
        await _side(registry, peer, client.anchor, decode(content), start)
        for content in (found.first, found.second)
    ]
    return found, tuple(sides)


def verify(
    anchor: Anchor, first: AccusedSide, second: AccusedSide, *, as_of: Timestamp
) -> ProvenMisbehaviour:
    """What both sides show, from *anchor*, as of a time (ns).

    Raises ``MisbehaviourNotProven``, ``AnchorMismatch``, ``TrustExpired``, ``NotEnoughTrust``, or
    as the light clients' ``verify_header`` and ``verify_misbehaviour``.
    """
    client = light_client(anchor.client_type)
    trusted = [_trusted(client, anchor, side, as_of) for side in (first, second)]
    client.verify_misbehaviour(anchor, trusted[0], trusted[1], now=as_of)
    return ProvenMisbehaviour(
        first=client.read_header(first.header), second=client.read_header(second.header)
    )


def _trusted(
    client: LightClient, anchor: Anchor, side: AccusedSide, as_of: Timestamp
) -> tuple[ConsensusState, bytes, Header]:
    state = verify_chain(client, anchor, side.chain, as_of)
    return state, side.next_validators, side.header


async def _side(
    registry: Registry, peer: PeerId, anchor: Anchor, header: Header, start: int
) -> AccusedSide:
    height = light_client(anchor.client_type).read_header(header).height.number
    below = await registry.clients.header_at_or_below(peer, height - 1)
    if below is None:
        raise HeaderNotFound(client=f"peers/{peer}/client", height=height - 1)
    target = below.state.height.number
    if start > target:
        raise FieldInvalid(field="start", problem=f"is above {target}, the last before {height}")
    begin = start or await lowest_start(registry, peer, anchor, target)
    chain = await header_chain(registry, peer, anchor, begin, target)
    following = await registry.clients.validators(below.state.next_validators_hash)
    return AccusedSide(
        header=header,
        chain=tuple([verified.header for verified in chain]),
        next_validators=following or header.validators,
    )
