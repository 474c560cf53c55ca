"""Every check of the doctor, in the order in which they are told. The list is closed."""

from __future__ import annotations

from typing import Final

from hub.cli.doctor import database, reach, traffic, trust
from hub.cli.doctor.database import of_database
from hub.cli.doctor.findings import Check
from hub.cli.doctor.traffic import of_lanes

_HUB = "process-down"
_DATABASE = "database-slow"
_CERTIFICATE = "certificate-expiring"
_RENEW = "renew it with its CA, replace the file; it counts for the next connection"
_NEW_CA = "let the new CA sign beside the old one, then replace certificates one by one"

CHECKS: Final[tuple[Check, ...]] = (
    Check("hub.answers", "the hub server", _HUB, reach.hub_answers),
    Check("hub.version", "versions of the hub and of this program", _HUB, reach.versions),
    Check("hub.clock", "the hub's clock beside this machine's", "clock-skew", reach.hub_clock),
    Check(
        "certificate.own",
        "the certificate that you show",
        _CERTIFICATE,
        reach.certificate("own", reach.CERTIFICATE_ENDS, _RENEW),
    ),
    Check(
        "certificate.hub",
        "the certificate that the hub shows",
        _CERTIFICATE,
        reach.certificate("hub", reach.CERTIFICATE_ENDS, _RENEW),
    ),
    Check(
        "certificate.ca",
        "the certificate of the CA",
        _CERTIFICATE,
        reach.certificate("ca", reach.CA_ENDS, _NEW_CA),
    ),
    Check("database.answers", "the registry's database", "registry-unreachable", database.answers),
    Check(
        "database.schema",
        "the schema's revision",
        "registry-unreachable",
        of_database(database.schema),
    ),
    Check(
        "database.durability",
        "fsync, synchronous_commit and the like",
        "registry-unreachable",
        of_database(database.durability),
    ),
    Check(
        "database.standby",
        "whether a standby has every commit",
        "promotion",
        of_database(database.standby),
    ),
    Check(
        "database.clock",
        "the database's clock beside the hub's",
        "clock-skew",
        reach.database_clock,
    ),
    Check(
        "database.partitions",
        "days with partitions",
        "partitions-missing",
        of_database(database.partitions),
    ),
    Check(
        "database.connections", "connections in use", _DATABASE, of_database(database.connections)
    ),
    Check("database.dead-rows", "dead rows by table", _DATABASE, of_database(database.dead_rows)),
    Check(
        "database.transactions",
        "the oldest transaction",
        _DATABASE,
        of_database(database.transactions),
    ),
    Check("database.locks", "sessions that wait for locks", _DATABASE, of_database(database.locks)),
    Check("database.disk", "the disk of the data directory", _DATABASE, of_database(database.disk)),
    Check(
        "database.wraparound",
        "transaction numbers left",
        _DATABASE,
        of_database(database.wraparound),
    ),
    Check(
        "database.invariants",
        "the registry's invariants",
        "invariant-broken",
        database.invariants,
    ),
    Check("relayer.leases", "leases of relayers", "lease-flapping", reach.leases),
    Check("peer.adapters", "adapters of active peers", "adapter-away", reach.adapters),
    Check("peer.suspended", "peers that are suspended", "adapter-away", reach.peers),
    Check("client.frozen", "frozen clients", "client-frozen", trust.frozen),
    Check("client.expired", "expired clients", "client-expired", trust.expired),
    Check(
        "client.expiring", "clients near the end of their trust", "client-expired", trust.expiring
    ),
    Check("client.pending", "clients without a header", "header-lag", trust.pending),
    Check("lane.paused", "paused lanes", "lane-stopped", of_lanes(traffic.paused)),
    Check("lane.gaps", "missing sequences", "packet-stuck", of_lanes(traffic.gaps)),
    Check("packet.parked", "packets for an operator", "packet-stuck", of_lanes(traffic.parked)),
    Check("packet.held", "packets of stopped lanes", "lane-stopped", of_lanes(traffic.held)),
    Check("packet.retry", "packets that fail", "deliveries-failing", of_lanes(traffic.retrying)),
    Check("packet.denied", "packets of denied routes", "packet-stuck", of_lanes(traffic.denied)),
    Check("packet.open", "the oldest packet", "backlog-growing", of_lanes(traffic.oldest_open)),
    Check("packet.outcomes", "the oldest outcome", "packet-stuck", of_lanes(traffic.outcome_lag)),
    Check("packet.backlog", "whether what waits grows", "backlog-growing", traffic.backlog),
)
