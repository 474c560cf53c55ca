"""The registry's tables, as SQLAlchemy sees them; migrations/ makes them.

Facts (headers, packets, proofs, outcomes, evidence, audit events) are appended once. What changes
is narrow: a lane's two rows, leases, and the small tables of exceptions and timeouts. A rule that
one row can show is a constraint here; what a change must keep is a trigger of the migrations; what
only many rows show is an invariant (invariants.py).
"""

from __future__ import annotations

from hub.registry.tables import audit, certificates, clients, lanes, packets, peers, relayers
from hub.registry.tables.columns import metadata

PARTITIONED = ("packets", "proofs", "outcomes")
"""Tables with one partition for each day of the database's clock."""

__all__ = [
    "PARTITIONED",
    "audit",
    "certificates",
    "clients",
    "lanes",
    "metadata",
    "packets",
    "peers",
    "relayers",
]
