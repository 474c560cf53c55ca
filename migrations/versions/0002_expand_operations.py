"""What many relayers and their operators need: attempts, and since when a packet is an exception.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

from migrations.script import run

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    run("0002_tables.sql")
    run("0002_governance.sql")
    run("0002_relayers.sql")
    run("0002_audit.sql")
    run("0002_shares.sql")


def downgrade() -> None:
    run("0002_down.sql")
