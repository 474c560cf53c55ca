"""``python -m adapters.bench``: plays all cities of a run of ``ydhub bench``.

It reads one JSON document a line, first the workload (workload.py), then commands (messages.py),
and answers each with one line. It ends with its input.
"""

from __future__ import annotations

import asyncio
import sys
import traceback

import msgspec

from adapters.bench.generator import Generator
from adapters.bench.messages import Attach, Attached, Command, Done, Failed, Measure, Run
from adapters.bench.workload import Workload


def main() -> None:
    """The process, until it is told to stop or its input ends."""
    asyncio.run(_serve())


async def _serve() -> None:
    commands = msgspec.json.Decoder[Command](Command)
    line = await asyncio.to_thread(sys.stdin.buffer.readline)
    if not line:
        return
    generator: Generator | None = None
    try:
        generator = Generator(msgspec.json.decode(line, type=Workload))
        _say(await generator.build())
        while line := await asyncio.to_thread(sys.stdin.buffer.readline):
            answer = await _obey(generator, commands.decode(line))
            _say(answer)
            if isinstance(answer, Done):
                return
    except Exception:  # noqa: BLE001 - whatever it is, whoever started this process must hear it
        _say(Failed(traceback.format_exc()))
    finally:
        if generator is not None:
            await generator.close()


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
