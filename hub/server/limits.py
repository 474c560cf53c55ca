"""Limits of the control plane: what one caller, and all of them together, may have under way.

What a connection may do is in ``hub.wire.listening``.

Source: reliability notes, section 9.
"""

from __future__ import annotations

from typing import Final

from hub.core.time import SECOND, Duration

MAX_CONCURRENT_RPCS: Final = 256
MAX_CALLS: Final = 32
"""Calls of one caller at once, watches among them."""
ARRIVES_WITHIN: Final = Duration(10 * SECOND)
"""The message of a call that has begun."""
MAX_DEADLINE_S: Final = 300
"""Seconds; a unary call without a deadline, or with a longer one, is refused."""
