"""The anchor of a Cosmos chain, as its own operator writes it down for others to compare."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from adapters.cosmos.rpc.node import CometNode
from adapters.cosmos.rpc.transport import Rpc
from adapters.sdk.clock import SystemClock
from hub.core.client import Anchor, Fraction, TrustOptions, check_anchor
from hub.core.errors import FieldInvalid
from hub.core.ids import parse_chain_id, parse_peer_id
from hub.light_clients.cometbft.client import CometBftClient
from hub.wire import anchor_file
from hub.wire.duration import parse_duration

PREFIX: Final = (b"ibc", b"")
"""ibc-go's store, and no key prefix within it."""
_LEVEL: Final = re.compile("([0-9]{1,18})/([0-9]{1,18})")

if TYPE_CHECKING:
    from hub.core.client import ConsensusState


async def peer_file(
    node: str, *, peer: str, display_name: str, chain_id: str, height: int, trust: TrustOptions
) -> str:
    """The peer file of the chain behind *node*, anchored at *height*, 0 for its newest block.

    Raises ``ChainUnreachable``, ``ChainIdMismatch``, ``HeaderNotFound``, ``AnchorInvalid`` or
    ``IdentifierInvalid``.
    """
    name = parse_peer_id(peer)
    chain, clock = parse_chain_id(chain_id), SystemClock()
    comet = CometNode(chain, Rpc(chain, [node], clock), clock)
    try:
        number = height or (await comet.status()).latest
        [header] = await comet.headers([number])
    finally:
        await comet.close()
    anchor = anchor_of(CometBftClient().read_header(header), chain_id, trust)
    return anchor_file.render(anchor, peer=name, display_name=display_name)


def anchor_of(state: ConsensusState, chain_id: str, trust: TrustOptions) -> Anchor:
    """The anchor at *state*. Raises ``AnchorInvalid`` or ``IdentifierInvalid``."""
    anchor = Anchor(
        client_type=CometBftClient.client_type,
        chain_id=parse_chain_id(chain_id),
        height=state.height,
        header_hash=state.header_hash,
        next_validators_hash=state.next_validators_hash,
        options=trust,
        prefix=PREFIX,
    )
    check_anchor(anchor)
    return anchor


def trust_options(level: str, trusting_period: str, max_clock_drift: str) -> TrustOptions:
    """The options of these texts, as a peer file has them. Raises ``FieldInvalid``."""
    found = _LEVEL.fullmatch(level)
    if found is None:
        raise FieldInvalid(field="trust_level", problem="is not {number}/{number}")
    return TrustOptions(
        trust_level=Fraction(int(found[1]), int(found[2])),
        trusting_period=parse_duration(trusting_period, "trusting_period"),
        max_clock_drift=parse_duration(max_clock_drift, "max_clock_drift"),
    )
