"""Relayer processes, and what they ask of each other's sessions."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Identity, Index, LargeBinary, Table, Text, text

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

relayers = Table(
    "relayers",
    metadata,
    name("relayer", key=True),
    words("address", None),
    words("version", None),
    moment("started_at"),
    moment("heartbeat_at"),
    flag("is_draining"),
    number("revision", default=1),
    check("relayer", "relayer <> ''"),
    comment="Relayer processes by name; one that has not said so for long does not run.",
)

forwarded_requests = Table(
    "forwarded_requests",
    metadata,
    Column("request_id", BigInteger, Identity(always=True), primary_key=True),
    peer(),
    Column("kind", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    words("asked_by", None),
    moment("asked_at"),
    moment("expires_at", default=False),
    number("epoch", null=True),
    moment("answered_at", null=True),
    Column("answer", LargeBinary, nullable=False, server_default=text("''")),
    words("reason"),
    words("detail"),
    Index(None, "peer"),
    Index(None, "expires_at"),
    one_of("kind", "REQUEST", "EXECUTION", "HEADER", "HELLO"),
    check("size", "octet_length(content) <= 2097152 AND octet_length(answer) <= 2097152"),
    check("answer", "answered_at IS NOT NULL OR (answer = '' AND reason = '')"),
    comment="What one relayer needs of a session that another owns, until it has read the answer.",
)
