"""Places where the hub server can be made to die; ``hub/wire/failpoints.py`` has how one is armed.

Source: reliability notes section 6, crash points C1, C2 and C17.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from hub.wire.failpoints import of_environment


class Failpoint(StrEnum):
    """Every place, named after what has just been done."""

    CHANGE_ASKED = "change_asked"
    """It is read, and allowed; nothing of it is durable."""
    CHANGE_COMMITTED = "change_committed"
    """It is durable; whoever asked was not told."""
    MIGRATION_STEPPED = "migration_stepped"
    """A revision of the schema is applied, and not committed."""
    MIGRATION_COMMITTED = "migration_committed"


hit: Final = of_environment(Failpoint).hit
