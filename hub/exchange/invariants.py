"""Ask the invariants again and again, of some of the records at a time.

What was once found broken stays so until the process ends: nothing here mends by itself, and the
next part of the records would hide it.

Source: reliability notes, section 8 (every 60 s).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from hub.core.errors import HubError
from hub.core.time import Duration, Timestamp
from hub.ports.registry import Sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hub.ports.clock import Clock
    from hub.ports.registry import Registry

SHARE: Final = 19
"""A round that takes long is followed by a rest that many times as long."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Standing:
    """How the invariants stand after a round."""

    broken: Mapping[str, int]
    """By invariant: the most rows that one round has found since the process began."""
    finished_at: Timestamp | None
    """When the newest round looked at all that it should; None before the first."""


async def watch(
    registry: Registry, clock: Clock, every: Duration, tell: Callable[[Standing], None]
) -> None:
    """Tells how they stand, a round each *every* (ns), until cancelled."""
    sweep, broken = Sweep(), dict[str, int]()
    finished_at: Timestamp | None = None
    while True:
        began = clock.monotonic()
        try:
            found, sweep = await registry.audit.recent(sweep)
        except HubError as error:
            _log.warning("invariants_not_asked", reason=error.reason, detail=str(error))
        except Exception:  # noqa: BLE001 - a bug costs one round; its age tells
            _log.exception("invariants_broke")
        else:
            for one in found:
                if one.count > broken.get(one.invariant, 0):
                    rows = list(one.samples)
                    _log.error("invariant_broken", name=one.invariant, count=one.count, rows=rows)
                broken[one.invariant] = max(one.count, broken.get(one.invariant, 0))
            if all(one.is_finished for one in found):
                finished_at = clock.now()
            tell(Standing(dict(broken), finished_at))
        took = clock.monotonic() - began
        await clock.sleep(Duration(max(every, SHARE * took)))
