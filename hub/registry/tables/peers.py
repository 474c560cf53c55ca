"""Peers, and who writes for them."""

from __future__ import annotations

from sqlalchemy import Table

from hub.registry.tables.columns import (
    check,
    flag,
    metadata,
    moment,
    name,
    number,
    one_of,
    peer,
    words,
)

peers = Table(
    "peers",
    metadata,
    name("peer", key=True),
    words("display_name", None),
    words("state", None),
    moment("created_at"),
    number("revision", default=1),
    words("suspend_cause"),
    one_of("state", "PROPOSED", "ACTIVE", "SUSPENDED", "RETIRED"),
    check("suspend_cause", "state = 'SUSPENDED' OR suspend_cause = ''"),
    comment="City chains that take part.",
)

leases = Table(
    "leases",
    metadata,
    peer(key=True),
    number("epoch"),
    name("owner", null=True),
    words("session"),
    flag("attached"),
    moment("expires_at"),
    check("epoch", "epoch >= 1"),
    check("owner", "owner <> '' AND (owner IS NOT NULL OR NOT attached)"),
    comment="Who writes for each peer; session names the writer's database connections.",
)
