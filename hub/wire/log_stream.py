"""Where a process's log lines go: one that cannot be written is dropped, and never an error.

A full disk under the logs must stop no packet: whoever logs is in the middle of something else.
"""

from __future__ import annotations

from typing import TextIO, cast


class LogStream:
    """A text stream as structlog's loggers want it, over one that may fail."""

    def __init__(self, stream: TextIO) -> None:
        """Over *stream*."""
        self._stream = stream
        self.dropped = 0
        """Lines, or parts of them, that were not written."""
        self._is_cut = False

    def write(self, text: str) -> int:
        """How many characters were taken, written or dropped.

        What follows a line that was cut begins a line of its own.
        """
        try:
            self._stream.write(f"\n{text}" if self._is_cut else text)
            self._is_cut = False
        except OSError:
            self._fail()
        return len(text)

    def flush(self) -> None:
        """What was taken is written, if it can be."""
        try:
            self._stream.flush()
        except OSError:
            self._fail()

    def _fail(self) -> None:
        self.dropped += 1
        self._is_cut = True


def unfailing(stream: TextIO) -> TextIO:
    """*stream*, as far as loggers use it, without its failures."""
    return cast("TextIO", LogStream(stream))
