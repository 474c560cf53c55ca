"""Every check of the doctor, in the order in which they are told. The list is closed."""

from __future__ import annotations

from typing import Final

from hub.cli.doctor import database, reach, traffic, trust
from hub.cli.doctor.database import of_database
from hub.cli.doctor.findings import Check
from hub.cli.doctor.traffic import of_lanes

_HUB = "registry-unreachable"
_CERTIFICATE = "adapter-away"
_RENEW = "renew it with its CA, replace the file; it counts for the next connection"
_NEW_CA = "let the new CA sign beside the old one, then replace certificates one by one"

CHECKS: Final[tuple[Check, ...]] = (
    Check("hub.answers", "the hub server", _HUB, reach.hub_answers),
    Check("hub.version", "versions of the hub and of this program", _HUB, reach.versions),
    Check("hub.clock", "the hub's clock beside this machine's", _HUB, reach.hub_clock),
    Check(
        "certificate.own",
        "the certificate that you show",
        _CERTIFICATE,
        reach.certificate("own", _RENEW),
    ),
    Check(
        "certificate.hub",
        "the certificate that the hub shows",
        _CERTIFICATE,
        reach.certificate("hub", _RENEW),
    ),
    Check(
        "certificate.ca",
        "the certificate of the CA",
        _CERTIFICATE,
        reach.certificate("ca", _NEW_CA),
    ),
    Check("database.answers", "the registry's database", _HUB, database.answers),
    Check("database.schema", "the schema's revision", _HUB, of_database(database.schema)),
    Check(
        "database.durability",
        "fsync, synchronous_commit and the like",
        _HUB,
        of_database(database.durability),
    ),
    Check("database.clock", "the database's clock beside the hub's", _HUB, reach.database_clock),
    Check("database.partitions", "days with partitions", _HUB, of_database(database.partitions)),
    Check("database.connections", "connections in use", _HUB, of_database(database.connections)),
    Check("database.dead-rows", "dead rows by table", _HUB, of_database(database.dead_rows)),
    Check(
        "database.transactions", "the oldest transaction", _HUB, of_database(database.transactions)
    ),
    Check("database.locks", "sessions that wait for locks", _HUB, of_database(database.locks)),
    Check("database.disk", "the disk of the data directory", _HUB, of_database(database.disk)),
    Check(
        "database.wraparound", "transaction numbers left", _HUB, of_database(database.wraparound)
    ),
    Check("database.invariants", "the registry's invariants", _HUB, database.invariants),
    Check("relayer.leases", "leases of relayers", "adapter-away", reach.leases),
    Check("peer.adapters", "adapters of active peers", "adapter-away", reach.adapters),
    Check("peer.suspended", "peers that are suspended", "adapter-away", reach.peers),
    Check("client.frozen", "frozen clients", "client-frozen", trust.frozen),
    Check("client.expired", "expired clients", "client-expired", trust.expired),
    Check(
        "client.expiring", "clients near the end of their trust", "client-expired", trust.expiring
    ),
    Check("client.pending", "clients without a header", "adapter-away", trust.pending),
    Check("lane.paused", "paused lanes", "packet-stuck", of_lanes(traffic.paused)),
    Check("lane.gaps", "missing sequences", "packet-stuck", of_lanes(traffic.gaps)),
    Check("packet.parked", "packets for an operator", "packet-stuck", of_lanes(traffic.parked)),
    Check("packet.held", "packets of stopped lanes", "packet-stuck", of_lanes(traffic.held)),
    Check("packet.retry", "packets that fail", "packet-stuck", of_lanes(traffic.retrying)),
    Check("packet.denied", "packets of denied routes", "packet-stuck", of_lanes(traffic.denied)),
    Check("packet.open", "the oldest packet", "packet-stuck", of_lanes(traffic.oldest_open)),
    Check("packet.outcomes", "the oldest outcome", "packet-stuck", of_lanes(traffic.outcome_lag)),
    Check("packet.backlog", "whether what waits grows", "packet-stuck", traffic.backlog),
)
