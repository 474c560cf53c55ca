"""The registry's tables, and the rules that they keep by themselves.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

from migrations.script import run

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    run("0001_tables.sql")
    run("0001_rules.sql")


def downgrade() -> None:
    run("0001_down.sql")
