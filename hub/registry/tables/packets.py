"""Facts about packets, and the small tables of what waits."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Sequence,
    Table,
    text,
)

from hub.registry.tables.columns import (
    SIDES,
    check,
    lane,
    metadata,
    moment,
    name,
    number,
    octets,
    one_of,
    ranges,
    words,
)

proof_ids = Sequence("proof_ids", metadata=metadata)

proofs = Table(
    "proofs",
    metadata,
    Column("day", Date, nullable=False),
    number("proof_id"),
    number("lane_id"),
    name("side"),
    number("epoch"),
    number("gate"),
    number("height"),
    Column("leaf_count", Integer, nullable=False),
    octets("skipped"),
    octets("content"),
    PrimaryKeyConstraint("proof_id", "day"),
    one_of("side", *SIDES),
    check("numbers", "height >= 1 AND leaf_count >= 1"),
    check("content", "content <> ''"),
    postgresql_partition_by="RANGE (day)",
    comment="Proofs, once for each frame.",
)

packets = Table(
    "packets",
    metadata,
    Column("day", Date, nullable=False),
    number("lane_id"),
    number("sequence"),
    number("timeout_timestamp"),
    number("proof_id"),
    Column("accepted_at", DateTime(timezone=True), nullable=False),
    octets("content"),
    words("denial"),
    PrimaryKeyConstraint("lane_id", "sequence", "day"),
    check("numbers", "sequence >= 1 AND timeout_timestamp >= 1"),
    check("content", "content <> ''"),
    postgresql_partition_by="RANGE (day)",
    comment="Accepted packets, as raw canonical bytes.",
)

outcomes = Table(
    "outcomes",
    metadata,
    Column("day", Date, nullable=False),
    number("lane_id"),
    number("outcome_index"),
    number("sequence"),
    number("proof_id"),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    words("kind", None),
    octets("content"),
    PrimaryKeyConstraint("lane_id", "outcome_index", "day"),
    Index(None, "lane_id", "sequence"),
    one_of("kind", "ACKNOWLEDGEMENT", "ABSENCE", "SETTLED_ELSEWHERE"),
    check("numbers", "outcome_index >= 0 AND sequence >= 1"),
    check("content", "(kind = 'ACKNOWLEDGEMENT') = (content <> '')"),
    postgresql_partition_by="RANGE (day)",
    comment="How packets ended, under one dense index for each lane.",
)

retired = Table(
    "retired",
    metadata,
    lane(key=True),
    ranges("sequences"),
    ranges("settled"),
    ranges("indexes"),
    comment="Sequences of packets, of outcomes, and outcome indexes whose days are dropped.",
)

timeout_batches = Table(
    "timeout_batches",
    metadata,
    number("lane_id"),
    number("first"),
    number("last"),
    number("earliest"),
    PrimaryKeyConstraint("lane_id", "first"),
    Index(None, "lane_id", "earliest"),
    check("numbers", "first >= 1 AND last >= first AND earliest >= 1"),
    comment="Packets of one frame, waiting for the earliest of their timeouts (s).",
)

exceptions = Table(
    "exceptions",
    metadata,
    lane(),
    number("sequence"),
    words("kind", None),
    words("reason", None),
    words("detail"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    number("next_attempt_at", null=True),
    moment("since"),
    PrimaryKeyConstraint("lane_id", "sequence"),
    one_of("kind", "HOLE", "RETRY", "HELD", "PARKED", "DENIED"),
    check("numbers", "sequence >= 1 AND attempts >= 0"),
    comment="Packets that do not move by themselves, and why.",
)

attempts = Table(
    "attempts",
    metadata,
    Column("attempt_id", BigInteger, Identity(always=True), primary_key=True),
    lane(),
    moment("at"),
    name("peer"),
    words("kind", None),
    words("reason", None),
    words("detail"),
    ranges("sequences"),
    Index(None, "at"),
    Index(None, "lane_id", "attempt_id"),
    one_of("kind", "RETRY", "PARKED", "ASKED"),
    check("reason", "(kind = 'ASKED') = (reason = '')"),
    check("sequences", "NOT isempty(sequences) AND lower(sequences) >= 1"),
    comment="Attempts that failed and retries that were asked for, of the last 30 days.",
)

reopenings = Table(
    "reopenings",
    metadata,
    Column("reopening_id", BigInteger, Identity(always=True), primary_key=True),
    lane(),
    number("sequence"),
    number("outcome_index"),
    number("height"),
    moment("reopened_at"),
    octets("proof"),
    Index(None, "lane_id", "sequence"),
    check("numbers", "sequence >= 1 AND outcome_index >= 0 AND height >= 1"),
    check("proof", "proof <> ''"),
    comment="Packets that were open again: reported executed, and proven not to be.",
)
