"""Places where a process can be made to die, to prove that nothing is lost there: how one is armed.

``YDHUB_FAILPOINT=name:nth`` ends the process with status 137, as kill -9 would, the *nth* time it
comes to *name*; the first time where no number is given. Unset, a failpoint costs one comparison.
Each kind of process has a closed list of its own: ``relayer/failpoints.py``,
``adapters/sdk/failpoints.py`` and ``hub/server/failpoints.py``.

Source: reliability notes section 6.
"""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Final, Generic, TypeVar

from hub.core.errors import FieldInvalid

VARIABLE: Final = "YDHUB_FAILPOINT"
KILLED: Final = 137
"""The status of a process that has died at one."""

Point = TypeVar("Point", bound=StrEnum)


class Failpoints(Generic[Point]):
    """The failpoints of one kind of process, of which one at most is armed."""

    def __init__(self, points: type[Point], text: str) -> None:
        """*text* arms one of *points*, as ``name:nth``; none if it is empty.

        Raises ``FieldInvalid``.
        """
        name, _, nth = text.partition(":")
        nth = nth or "1"
        if text and (name not in set(points) or not nth.isdecimal() or int(nth) < 1):
            raise FieldInvalid(field=VARIABLE, problem=f"{text!r} is not name:nth")
        self._name = name
        self._left = int(nth)

    def hit(self, point: Point) -> None:
        """The process has come to *point*; it dies here if this is what was asked for."""
        if point != self._name:
            return
        self._left -= 1
        if self._left == 0:
            os._exit(KILLED)


def of_environment(points: type[Point]) -> Failpoints[Point]:
    """Those of this process, armed as its environment says. Raises ``FieldInvalid``."""
    return Failpoints(points, os.environ.get(VARIABLE, ""))
