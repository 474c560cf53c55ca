"""``python -m adapters.bench``: plays all cities of a run of ``ydhub bench``.

It reads one JSON document a line, first the workload (workload.py), then commands (messages.py),
and answers each with one line. It ends with its input, whatever it is doing then.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from contextlib import suppress
from typing import Final

import msgspec

from adapters.bench.generator import Generator
from adapters.bench.messages import Attach, Attached, Command, Done, Failed, Measure, Run
from adapters.bench.workload import Workload

_LINE: Final = 1 << 28
"""Most bytes of a line."""
_COMMANDS: Final = msgspec.json.Decoder[Command](Command)


def main() -> None:
    """The process, until it is told to stop or its input ends."""
    with suppress(asyncio.CancelledError):
        asyncio.run(_serve())


async def _serve() -> None:
    lines: asyncio.Queue[bytes] = asyncio.Queue()
    serving = asyncio.current_task()
    assert serving is not None  # noqa: S101 - this is one
    reading = asyncio.create_task(_read(lines, serving))
    generator: Generator | None = None
    try:
        generator = Generator(msgspec.json.decode(await lines.get(), type=Workload))
        answer: msgspec.Struct = await generator.build()
        _say(answer)
        while not isinstance(answer, Done):
            answer = await _obey(generator, _COMMANDS.decode(await lines.get()))
            _say(answer)
    except Exception:  # noqa: BLE001 - whatever it is, whoever started this process must hear it
        _say(Failed(traceback.format_exc()))
    finally:
        reading.cancel()
        if generator is not None:
            await generator.close()


async def _read(lines: asyncio.Queue[bytes], serving: asyncio.Task[None]) -> None:
    """Every line of the input is in *lines*; at its end *serving* ends too."""
    reader = asyncio.StreamReader(limit=_LINE)
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    while line := await reader.readline():
        lines.put_nowait(line)
    serving.cancel()


async def _obey(generator: Generator, command: Command) -> msgspec.Struct:
    match command:
        case Attach():
            await generator.attach(command)
            return Attached(len(command.addresses))
        case Measure():
            return generator.measure()
        case Run(phase=number):
            return await generator.run(number)
        case _:
            return Done()


def _say(answer: msgspec.Struct) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
