"""Light clients, headers and evidence."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

from hub.registry.tables.columns import (
    check,
    digests,
    flag,
    metadata,
    moment,
    name,
    number,
    octet_list,
    octets,
    peer,
    trust,
    words,
)

hub_clients = Table(
    "hub_clients",
    metadata,
    peer(key=True),
    words("client_type", None),
    words("chain_id", None),
    number("anchor_revision"),
    number("anchor_height"),
    octets("header_hash"),
    octets("next_validators_hash"),
    *trust(),
    octet_list("prefix"),
    moment("frozen_at", null=True),
    words("frozen_cause"),
    moment("recovered_at", null=True),
    *digests("header_hash", "next_validators_hash"),
    check("anchor", "anchor_revision >= 0 AND anchor_height >= 1"),
    check("frozen", "frozen_at IS NOT NULL OR frozen_cause = ''"),
    comment="The hub's one light client of each peer's chain, and the anchor it starts from.",
)

validator_sets = Table(
    "validator_sets",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    octets("content"),
    *digests("digest"),
    check("content", "content <> ''"),
    comment="Validator sets by the hash that headers name them by, each once.",
)

headers = Table(
    "headers",
    metadata,
    name("peer", ForeignKey("hub_clients.peer")),
    number("height"),
    number("revision"),
    octets("header_hash"),
    number("time"),
    octets("root"),
    octets("next_validators_hash"),
    Column("validators_hash", LargeBinary, ForeignKey("validator_sets.digest"), nullable=False),
    octets("content"),
    moment("recorded_at"),
    PrimaryKeyConstraint("peer", "height"),
    *digests("header_hash", "next_validators_hash"),
    check("height", "height >= 1 AND revision >= 0 AND time >= 0"),
    # An application chooses its root's length; before its first block it may have none.
    check("root", "octet_length(root) <= 64 AND (root = '' OR btrim(root, '\\x00'::bytea) <> '')"),
    check("content", "content <> ''"),
    comment="Verified headers, one for each height.",
)

chain_clients = Table(
    "chain_clients",
    metadata,
    peer(),
    name("client"),
    words("chain_id", None),
    number("latest_revision"),
    number("latest_height"),
    flag("is_frozen"),
    *trust(),
    name("counterparty", null=True),
    octet_list("counterparty_prefix"),
    PrimaryKeyConstraint("peer", "client"),
    comment="Mirrors of light clients that live on peers' chains.",
)

evidence = Table(
    "evidence",
    metadata,
    peer(),
    number("number"),
    words("reason", None),
    octets("first"),
    octets("second"),
    octets("digest"),
    moment("recorded_at"),
    PrimaryKeyConstraint("peer", "number"),
    UniqueConstraint("peer", "digest"),
    check("number", "number >= 1"),
    comment="Two truths of one chain that contradict each other.",
)

carried_evidence = Table(
    "carried_evidence",
    metadata,
    name("peer"),
    number("number"),
    name("chain_peer"),
    name("client"),
    moment("carried_at"),
    PrimaryKeyConstraint("peer", "number", "chain_peer", "client"),
    ForeignKeyConstraint(["peer", "number"], ["evidence.peer", "evidence.number"]),
    ForeignKeyConstraint(["chain_peer", "client"], ["chain_clients.peer", "chain_clients.client"]),
    comment="Chain clients that are frozen by evidence which the relayer carried to them.",
)
