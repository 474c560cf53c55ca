"""Takes the census: every peer and every lane, read from the registry.

Source: operations notes section 10, "State-derived numbers come from the store, not from event
counters".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hub.core.census import Census, LaneCensus, PeerCensus
from hub.core.ranges import RangeSet
from hub.core.time import Timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.core.client import HubClient
    from hub.core.lane import LaneView
    from hub.core.record import ExceptionKind
    from hub.ports.leases import Lease
    from hub.ports.registry import Registry

_CLIENTS_AT_ONCE: Final = 200


async def take(registry: Registry, now: Timestamp) -> Census:
    """The census at *now*. Raises ``RegistryUnreachable``."""
    leases = {lease.peer: lease for lease in await registry.leases.all()}
    peers: list[PeerCensus] = []
    lanes: list[LaneCensus] = []
    for client in await _clients(registry):
        count = len(await registry.clients.evidence(client.peer))
        peers.append(_peer(client, leases.get(client.peer), count))
        views = await registry.lanes.views(client.peer)
        own = [view for view in views if view.lane.key.source_peer == client.peer]
        under_way = [view.lane.lane_id for view in own if not _has_all_ended(view)]
        counts = await registry.exceptions.counts(under_way)
        lanes += [await _lane(registry, view, counts.get(view.lane.lane_id, {})) for view in own]
    return Census(
        at=now,
        peers=tuple(peers),
        lanes=tuple(lanes),
        partition_days=await registry.audit.partition_days(),
    )


async def _clients(registry: Registry) -> list[HubClient]:
    found: list[HubClient] = []
    while True:
        after = found[-1].peer if found else ""
        page = await registry.clients.hub_clients(after, _CLIENTS_AT_ONCE)
        found += page
        if len(page) < _CLIENTS_AT_ONCE:
            return found


def _peer(client: HubClient, lease: Lease | None, evidence_count: int) -> PeerCensus:
    latest = client.latest
    return PeerCensus(
        peer=client.peer,
        relayer=lease.owner if lease else "",
        epoch=lease.epoch if lease else 0,
        is_attached=lease is not None and lease.attached,
        header_height=latest.height.number if latest else 0,
        header_time=latest.time if latest else Timestamp(0),
        expires_at=Timestamp(client.expires_at),
        is_frozen=client.is_frozen,
        evidence_count=evidence_count,
    )


async def _lane(
    registry: Registry, view: LaneView, exceptions: Mapping[ExceptionKind, int]
) -> LaneCensus:
    lane_id = view.lane.lane_id
    is_open = view.source.done - view.destination.done
    oldest = None
    if is_open:
        stored = await registry.packets.read(lane_id, RangeSet.of([is_open.first]))
        oldest = stored[0].accepted_at if stored else None
    executed = len(view.source.progress)
    return LaneCensus(
        key=view.lane.key,
        is_open=view.accepts,
        accepted_count=len(view.source.done),
        # It never falls: what is open again has ended, and ends once more.
        ended_count=executed + view.source.reopened_count,
        open_count=len(is_open),
        owed_count=max(view.destination.outcome_count - executed, 0),
        oldest_at=oldest,
        exceptions=exceptions,
    )


def _has_all_ended(view: LaneView) -> bool:
    """Nothing of the lane is open or missing, so that nothing can be an exception."""
    done = view.source.done
    return not done.holes(view.lane.first_sequence) and len(done) == len(view.source.progress)
