"""How the hub is: what it holds, who carries it, and whether its invariants hold."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

from hub.core.lane import LaneState
from hub.core.report import HubReport, RelayerReport
from hub.ports.registry import Sweep

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hub.core.ids import PeerId
    from hub.core.lane import LaneView
    from hub.ports.leases import Lease
    from hub.ports.registry import Registry

_PEERS_AT_ONCE: Final = 200


async def report(registry: Registry) -> HubReport:
    """The hub's report, here and now. Raises ``RegistryUnreachable``."""
    peers = await _peers(registry)
    views: dict[int, LaneView] = {}
    for peer in peers:
        views.update({view.lane.lane_id: view for view in await registry.lanes.views(peer)})
    under_way = [lane_id for lane_id, view in views.items() if not _has_all_ended(view)]
    counts = await registry.exceptions.counts(under_way)
    violations, _ = await registry.audit.recent(Sweep())
    return HubReport(
        schema_revision=await registry.audit.schema_revision(),
        invariants=tuple(violations),
        relayers=tuple(_relayers(await registry.leases.all())),
        peer_count=len(peers),
        open_lane_count=sum(view.lane.state is LaneState.OPEN for view in views.values()),
        accepted_count=sum(len(view.source.done) for view in views.values()),
        ended_count=sum(len(view.source.progress) for view in views.values()),
        exception_count=sum(sum(kinds.values()) for kinds in counts.values()),
        disproven=_disproven(views.values()),
    )


def _disproven(views: Iterable[LaneView]) -> tuple[tuple[PeerId, int], ...]:
    found: Counter[PeerId] = Counter()
    for view in views:
        found[view.lane.key.source_peer] += view.source.reopened_count
    return tuple(sorted((peer, count) for peer, count in found.items() if count))


async def _peers(registry: Registry) -> list[PeerId]:
    peers: list[PeerId] = []
    while True:
        page = await registry.peers.page(peers[-1] if peers else "", _PEERS_AT_ONCE)
        peers += [peer.peer for peer in page]
        if len(page) < _PEERS_AT_ONCE:
            return peers


def _has_all_ended(view: LaneView) -> bool:
    """Nothing of the lane is open or missing, so that nothing can be an exception."""
    done = view.source.done
    return not done.holes(view.lane.first_sequence) and len(done) == len(view.source.progress)


def _relayers(leases: Sequence[Lease]) -> list[RelayerReport]:
    held: dict[str, list[Lease]] = defaultdict(list)
    for lease in leases:
        held[lease.owner].append(lease)
    return [
        RelayerReport(
            name=owner,
            peers=tuple([lease.peer for lease in own]),
            lease_expires_at=min(lease.expires_at for lease in own),
        )
        for owner, own in sorted(held.items())
    ]
