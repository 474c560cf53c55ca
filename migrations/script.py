"""How a revision runs the SQL that stands in sql/: as one script, under short lock waits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import context, op
from sqlalchemy.util import await_only

_SQL = Path(__file__).parent / "sql"

PATIENCE_SECONDS = 900
LIMITS = f"SET LOCAL lock_timeout = '3s'; SET LOCAL statement_timeout = '{PATIENCE_SECONDS}s';"
"""A migration that would make writers wait gives up, and is run again."""


def run(name: str) -> None:
    """The statements of the file *name* are carried out, within the migration's transaction."""
    script = f"{LIMITS}\n{(_SQL / name).read_text(encoding='utf-8')}"
    if context.is_offline_mode():
        op.execute(script)
        return
    connection = op.get_bind()
    # The transaction begins at the first statement that is not the driver's own.
    connection.exec_driver_sql("SELECT 1")
    driver: Any = connection.connection.driver_connection
    if not driver.is_in_transaction():
        raise RuntimeError("a migration outside of a transaction could be left half done")
    # Prepared statements hold one statement each; a script goes by the simple protocol.
    await_only(driver.execute(script, timeout=PATIENCE_SECONDS))
