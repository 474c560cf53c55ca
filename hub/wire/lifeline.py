"""A process that ends with whoever started it, however that one ended: its input is the lifeline.

Who starts it keeps the only other end of a pipe. The kernel closes that end when the process is
gone, after kill -9 too, so nothing has to be told, and nobody else has to watch.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from threading import Event, Thread
from typing import Final

OPTION: Final = "--ends-with-input"
HELP: Final = "end when the standard input does: whoever started this is gone"
GRACE_S: Final = 15
"""For a drain; then the process ends as it is."""
_INPUT: Final = 0
_MOST: Final = 1 << 16


def hold() -> None:
    """From now on this process is asked to end once its input does, and ends a while later."""
    Thread(target=_watch, name="lifeline", daemon=True).start()


def _watch() -> None:
    with suppress(OSError):  # an input that cannot be read is at its end
        while os.read(_INPUT, _MOST):
            pass
    os.kill(os.getpid(), signal.SIGTERM)
    Event().wait(GRACE_S)
    os._exit(128 + signal.SIGTERM)
