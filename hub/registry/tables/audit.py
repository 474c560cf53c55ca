"""Who changed what, and what must not be done twice."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Identity, Index, PrimaryKeyConstraint, Table

from hub.registry.tables.columns import check, metadata, moment, name, number, octets, words

audit_events = Table(
    "audit_events",
    metadata,
    Column("event_id", BigInteger, Identity(always=True), primary_key=True),
    moment("at"),
    words("identity", None),
    words("request_id"),
    words("action", None),
    name("subject"),
    number("revision"),
    words("detail"),
    Index(None, "subject", "revision"),
    check("identity", "identity <> ''"),
    comment="Every change by a person or an opening, written in the change's own transaction.",
)

requests = Table(
    "requests",
    metadata,
    name("identity"),
    name("request_id"),
    octets("digest"),
    words("result"),
    moment("recorded_at"),
    PrimaryKeyConstraint("identity", "request_id"),
    check("request_id", "request_id <> ''"),
    comment="Request ids of the last 24 hours, so that a repeated request is one.",
)

schema_floor = Table(
    "schema_floor",
    metadata,
    name("revision", key=True),
    comment="One row: the oldest program, by the revision it needs, that this schema serves.",
)
