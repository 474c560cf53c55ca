from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

from hub.wire.log_stream import LogStream

PROGRAM = """
from hub.wire.logs import set_up_logs
import structlog
set_up_logs("json")
for number in range(3):
    structlog.get_logger().error("said", number=number)
print("done", flush=True)
"""


def test_what_can_be_written_is_written() -> None:
    text = io.StringIO()
    stream = LogStream(text)
    assert stream.write("one\n") == 4
    stream.flush()
    assert (text.getvalue(), stream.dropped) == ("one\n", 0)


def test_what_cannot_be_written_is_dropped_and_counted() -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    stream = LogStream(Full())
    assert stream.write("one\n") == 4
    stream.flush()
    assert stream.dropped == 2


def test_what_follows_a_line_that_was_cut_begins_its_own() -> None:
    class Once(io.StringIO):
        fails = True

        def write(self, text: str) -> int:
            if self.fails:
                self.fails = False
                super().write(text[:3])
                raise OSError(28, "No space left on device")
            return super().write(text)

    text = Once()
    stream = LogStream(text)
    stream.write('{"event": 1}\n')
    stream.write('{"event": 2}\n')
    stream.write('{"event": 3}\n')
    assert text.getvalue().splitlines() == ['{"e', '{"event": 2}', '{"event": 3}']


def test_no_process_stops_because_its_log_has_no_room() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            check=False,
            stdout=subprocess.PIPE,
            stderr=full,
            env={"PYTHONPATH": ":".join(sys.path)},
        )
    assert done.stdout == b"done\n"
