"""Registries to test, and what goes into them.

``registry`` is each registry in turn, the twin in memory and Postgres, so that every test of a port
asks the same of both. Contents are fake where the registry does not look: packets, proofs and
headers are any bytes, but validator sets are real, because they are stored by their hash.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from hub.core.client import (
    Anchor,
    ConsensusState,
    Header,
    TrustOptions,
    VerifiedHeader,
)
from hub.core.height import Height
from hub.core.ids import ChainId, ClientId, PeerId
from hub.core.lane import LaneKey, Order, Side
from hub.core.packet import MAX_SEQUENCE
from hub.core.ranges import RangeSet
from hub.core.record import (
    Acceptance,
    Denial,
    Disproof,
    FrameProof,
    NewOutcome,
    NewPacket,
    OutcomeKind,
    Settlement,
)
from hub.core.time import SECOND, Duration, Timestamp
from hub.light_clients.cometbft.codec import encode_validators
from hub.ports.caller import Caller
from hub.ports.lanes import OpeningPlan
from hub.registry.memory import MemoryRegistry
from hub.registry.recent import RecentFacts
from hub.registry.registry import PostgresRegistry
from tests.harness.cometbft import members, validator_set

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from hub.core.lane import Lane, LaneView
    from hub.ports.leases import Fence
    from hub.ports.registry import Registry
    from tests.harness.postgres import Databases

ADMIN = Caller(identity="spiffe://ydhub.local/admins/li")
HANGZHOU, SUZHOU, SHANGHAI = PeerId("hangzhou"), PeerId("suzhou"), PeerId("shanghai")
LEASE = Duration(3600 * SECOND)
TIMEOUT = 2_000_000_000
SEQUENCES = RangeSet.span(0, MAX_SEQUENCE)
"""Sequences, whichever a lane has."""
VALIDATORS = encode_validators(validator_set(members(3, 2, 1)))


@pytest.fixture(params=["memory", "postgres"])
async def registry(request: pytest.FixtureRequest) -> AsyncIterator[Registry]:
    """An empty registry: in memory, then in Postgres."""
    if request.param == "memory":
        yield MemoryRegistry()
        return
    databases: Databases = request.getfixturevalue("databases")
    async with await connect(await databases.fresh()) as made:
        yield made
    await databases.drop()


@pytest.fixture
async def postgres(databases: Databases) -> AsyncIterator[PostgresRegistry]:
    """An empty registry in Postgres."""
    async with await connect(await databases.fresh()) as made:
        yield made
    await databases.drop()


async def connect(url: str) -> PostgresRegistry:
    """The registry at *url*; it keeps nothing of what it wrote, so that it reads the database."""
    return await PostgresRegistry.connect(url, recent=RecentFacts(0))


def digest(text: str) -> bytes:
    """32 bytes that stand for *text*."""
    return sha256(text.encode()).digest()


def anchor(chain_id: str = "suzhou-1", **changes: object) -> Anchor:
    """An anchor as an operator writes it down."""
    values: dict[str, object] = {
        "client_type": "07-tendermint",
        "chain_id": ChainId(chain_id),
        "height": Height(1, 5),
        "header_hash": digest(f"{chain_id} 5"),
        "next_validators_hash": digest("set"),
        "options": TrustOptions(
            trusting_period=Duration(1209600 * SECOND), max_clock_drift=Duration(10 * SECOND)
        ),
        "prefix": (b"ibc", b""),
    }
    return Anchor(**(values | changes))  # type: ignore[arg-type]


def header(number: int, text: str = "", *, time: int | None = None) -> VerifiedHeader:
    """A verified header of height *number*; other *text*, other header."""
    state = ConsensusState(
        height=Height(1, number),
        header_hash=digest(f"header {number} {text}"),
        time=Timestamp((time if time is not None else 1_800_000_000 + number) * SECOND),
        root=digest(f"root {number} {text}"),
        next_validators_hash=digest("set"),
    )
    content = f"header {number} {text}".encode()
    return VerifiedHeader(header=Header(content=content, validators=VALIDATORS), state=state)


def packet(sequence: int, timeout: int = TIMEOUT, text: str = "") -> NewPacket:
    """A packet of *sequence*."""
    return NewPacket(sequence, f"packet {sequence} {text}".encode(), timeout)


def proof(leaf_count: int, height: int = 7) -> FrameProof:
    """A frame's proof."""
    return FrameProof(height=height, content=b"proof", leaf_count=leaf_count)


def acceptance(
    lane_id: int,
    sequences: Iterable[int],
    *,
    gate: int = 1,
    denied: Iterable[int] = (),
    timeout: int = TIMEOUT,
) -> Acceptance:
    """The acceptance of one frame with packets of *sequences*."""
    packets = tuple([packet(sequence, timeout) for sequence in sequences])
    return Acceptance(
        lane_id=lane_id,
        gate=gate,
        packets=packets,
        denials=tuple([Denial(sequence, f"why {sequence}") for sequence in denied]),
        proof=proof(len(packets)),
    )


def outcome(sequence: int, kind: OutcomeKind = OutcomeKind.ACKNOWLEDGEMENT) -> NewOutcome:
    """The outcome of *sequence*."""
    content = f"answer {sequence}".encode() if kind is OutcomeKind.ACKNOWLEDGEMENT else b""
    return NewOutcome(sequence, kind, content)


def settlement(
    lane_id: int,
    sequences: Iterable[int],
    *,
    gate: int = 1,
    kind: OutcomeKind = OutcomeKind.ACKNOWLEDGEMENT,
    height: int = 7,
) -> Settlement:
    """The outcomes of one frame, all of one *kind*."""
    outcomes = tuple([outcome(sequence, kind) for sequence in sequences])
    return Settlement(
        lane_id=lane_id, gate=gate, outcomes=outcomes, proof=proof(len(outcomes), height)
    )


def disproof(index: int, sequence: int, height: int = 9) -> Disproof:
    """Shows that the outcome *index*, of *sequence*, was not executed."""
    return Disproof(outcome_index=index, sequence=sequence, height=height, proof=b"still there")


def key_of(source: str = "hangzhou", destination: str = "suzhou", number: int = 0) -> LaneKey:
    """The lane from *source* to *destination*."""
    client = ClientId(f"07-tendermint-{number}")
    return LaneKey(PeerId(source), client, PeerId(destination), client)


def plan_of(
    source: PeerId = HANGZHOU,
    destination: PeerId = SUZHOU,
    *,
    order: Order = Order.UNORDERED,
    routes: tuple[tuple[str, str], ...] = (("transfer", "transfer"),),
    from_sequence: int = 0,
) -> OpeningPlan:
    """A plan to open lanes both ways."""
    return OpeningPlan(
        source=source,
        destination=destination,
        source_client=None,
        destination_client=None,
        from_sequence=from_sequence,
        order=order,
        allow_routes=routes,
    )


@dataclass
class Opened:
    """A registry with two peers, a lane each way between them, and a lease of both."""

    registry: Registry
    fences: dict[PeerId, Fence] = field(default_factory=dict)
    lanes: list[Lane] = field(default_factory=list)

    @property
    def lane(self) -> int:
        """The lane from Hangzhou to Suzhou."""
        return self.lanes[0].lane_id

    @property
    def source(self) -> Fence:
        """The right to write for Hangzhou."""
        return self.fences[HANGZHOU]

    @property
    def destination(self) -> Fence:
        """The right to write for Suzhou."""
        return self.fences[SUZHOU]

    async def view(self) -> LaneView:
        """The lane as it stands."""
        return await self.registry.lanes.view(self.lane)

    async def accept(self, *sequences: int, **how: object) -> None:
        """Packets of *sequences* are accepted, as one frame."""
        part = acceptance(self.lane, sequences, **how)  # type: ignore[arg-type]
        await self.registry.packets.accept(self.source, [part])

    async def settle(self, *sequences: int, **how: object) -> None:
        """Outcomes of *sequences* are recorded, as one frame."""
        part = settlement(self.lane, sequences, **how)  # type: ignore[arg-type]
        await self.registry.outcomes.record(self.destination, [part])


async def register(registry: Registry, *peers: PeerId) -> None:
    """*peers* are registered."""
    for peer in peers:
        await registry.peers.register(peer, peer.capitalize(), anchor(f"{peer}-1"), ADMIN)


async def acquire(registry: Registry, peer: PeerId, owner: str = "east-1") -> Fence:
    """A new lease of *peer* for *owner*."""
    fence = await registry.leases.acquire(peer, owner, LEASE)
    assert fence is not None
    return fence


async def add_headers(registry: Registry, fence: Fence, headers: Sequence[VerifiedHeader]) -> None:
    """*headers* of the fence's peer are stored, verified by its client as it is now."""
    client = await registry.clients.hub_client(fence.peer)
    await registry.clients.add_headers(fence, client.anchor, headers)


async def open_lanes(
    registry: Registry, keys: Sequence[tuple[LaneKey, int]] = (), **plan: object
) -> list[Lane]:
    """The lanes of *keys* are open: (key, first sequence)."""
    pairs = keys or [(key_of(), 1), (key_of().reverse, 1)]
    opening = await registry.lanes.start_opening(plan_of(**plan), ADMIN)  # type: ignore[arg-type]
    await registry.lanes.finish_opening(opening.number, pairs)
    return [await registry.lanes.get(key) for key, _ in pairs]


async def opened(registry: Registry, **plan: object) -> Opened:
    """Two peers, their lanes and their leases, and the header that proofs are under."""
    await register(registry, HANGZHOU, SUZHOU)
    lanes = await open_lanes(registry, **plan)  # type: ignore[arg-type]
    fences = {peer: await acquire(registry, peer) for peer in (HANGZHOU, SUZHOU)}
    for fence in fences.values():
        await add_headers(registry, fence, [header(7, time=TIMEOUT)])
    return Opened(registry, fences, lanes)


LOCK_WAITERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
"""How many sessions of the database wait for a lock."""


async def broken(registry: Registry) -> dict[str, int]:
    """The invariants that do not hold, and how many records break each."""
    found = await registry.audit.violations()
    return {violation.invariant: violation.count for violation in found if violation.count}


SIDES = (Side.SOURCE, Side.DESTINATION)
