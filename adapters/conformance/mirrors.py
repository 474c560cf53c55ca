"""Clients that live on the adapter's chain, as it proves them.

Source: relay.proto, ClientMirror; ICS-24; ibc-go v10 02-client/v2 (counterparty).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.conformance.answers import words
from adapters.conformance.demand import demand, proven
from hub.core.ids import parse_client_id
from hub.core.paths import client_state_key, counterparty_key
from hub.light_clients.cometbft.client_state import (
    ClientState,
    Counterparty,
    decode_client_state,
    decode_counterparty,
)
from hub.wire.headers import height_from_proto

if TYPE_CHECKING:
    from ydhub.relay.v1 import relay_pb2 as pb

    from adapters.conformance.follower import Follower
    from hub.core.ids import ClientId


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """A client whose state was proven."""

    client: ClientId
    state: ClientState
    counterparty: Counterparty | None
    """None while none is registered."""
    trusted: tuple[int, ...]
    """Numbers of the heights that it is said to trust, rising."""
    pending: int
    """The anchor's height while it waits for that header; else 0."""


async def read(answer: pb.Answer, follower: Follower) -> Mirror:
    """The one client of *answer*, proven under a verified header. Raises ``Failed``."""
    found = str(answer.WhichOneof("body"))
    demand(found == "clients", "an answer of clients", words(answer))
    count = len(answer.clients.clients)
    demand(count == 1, "one client", f"{count} clients")
    return await prove(answer.clients.clients[0], follower)


async def prove(shown: pb.ClientMirror, follower: Follower) -> Mirror:
    """What *shown* claims, under a verified header of the chain. Raises ``Failed``."""
    with proven(f"the client {shown.client} proven under a header that verifies"):
        client = parse_client_id(shown.client)
        height = height_from_proto(shown.proof_height)
        await follower.header(height.number)
        root, prefix = follower.state(height.number).root, follower.anchor.prefix
        member = follower.light_client.verify_membership
        key, content = client_state_key(client), shown.client_state
        member(root, prefix, key, content, shown.client_state_proof)
        state = decode_client_state(content)
        counterparty = None
        if shown.counterparty:
            counterparty = decode_counterparty(shown.counterparty)
            key, content = counterparty_key(client), shown.counterparty
            member(root, prefix, key, content, shown.counterparty_proof)
        trusted = [height_from_proto(one).number for one in shown.trusted_heights]
    demand(trusted == sorted(set(trusted)), "trusted heights that rise", trusted)
    return Mirror(
        client=client,
        state=state,
        counterparty=counterparty,
        trusted=tuple(trusted),
        pending=shown.pending_height.number,
    )
