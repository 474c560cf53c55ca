"""Who was invited, which certificates the hub has issued, and which count no more."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Identity, Index, Table, UniqueConstraint

from hub.registry.tables.columns import check, digests, metadata, moment, name, octets, peer, words

certificates = Table(
    "certificates",
    metadata,
    name("serial", key=True),
    name("identity"),
    moment("issued_at"),
    moment("expires_at", default=False),
    Index(None, "identity"),
    check("serial", "serial ~ '^[1-9a-f][0-9a-f]*$'"),
    comment="Certificates that the hub has issued; their keys it has never seen.",
)

invitations = Table(
    "invitations",
    metadata,
    octets("digest", key=True),
    peer(),
    moment("created_at"),
    moment("expires_at", default=False),
    name("serial", ForeignKey("certificates.serial"), null=True),
    *digests("digest"),
    comment="One-time tokens by their hash; serial is of the certificate that one was spent for.",
)

revocations = Table(
    "revocations",
    metadata,
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    name("serial", null=True),
    name("identity", null=True),
    words("cause", None),
    moment("revoked_at"),
    UniqueConstraint("serial"),
    check("subject", "(serial IS NULL) <> (identity IS NULL)"),
    comment=(
        "Certificates that count no more: one by its serial, or all of an identity until then."
    ),
)
