"""A process that steps aside: it runs only in time that nobody else wants.

Niceness alone does not do it. Where the kernel shares time among sessions first and among the
processes of a session after that, a nice process takes a whole share from all other sessions: so
it also needs a session of its own, and that one has to be nice.

Source: sched(7), "The autogroup feature"; prctl(2), PR_SET_PDEATHSIG.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

NICENESS: Final = 19
"""The nicest."""
AUTOGROUP: Final = Path("/proc/self/autogroup")
_PR_SET_PDEATHSIG: Final = 1
_ATTEMPTS: Final = 20
_AGAIN_S: Final = 0.11


def step_aside() -> None:
    """The process gives way to all others from now on, and still ends with who started it.

    A second time changes nothing.
    """
    os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    if os.getsid(0) == os.getpid():
        return
    # Whoever ends the old session as a whole would not reach this process any more.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        os.setsid()
    except PermissionError:  # it leads a group: whoever made it one has seen to its share
        return
    _be_nice_as_a_session()


def _be_nice_as_a_session() -> None:
    """The session is nice, where the kernel shares time among sessions.

    Who has no privileges may say so ten times a second in all; that one waits.
    """
    for _ in range(_ATTEMPTS if AUTOGROUP.exists() else 0):
        with suppress(OSError):
            AUTOGROUP.write_text(f"{NICENESS}\n", encoding="ascii")
            return
        time.sleep(_AGAIN_S)
