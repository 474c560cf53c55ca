"""``ydhub bench``: runs, and comparisons of two results."""

from __future__ import annotations

import asyncio
import re
import shlex
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from hub.cli.bench import machine, soak
from hub.cli.bench.comparison import alone, as_json, comparison, lines
from hub.cli.bench.folder import make_folder, save
from hub.cli.bench.options import FAMILIES, Options, Proofs, check
from hub.cli.bench.presets import CAPACITY, PRESETS, SOAK, at_half, runs
from hub.cli.bench.report import text
from hub.cli.bench.result import Result, read_result
from hub.cli.bench.run import Run
from hub.cli.bench.targets import capacity, rows
from hub.cli.clock import wall_clock
from hub.cli.exit_codes import ExitCode
from hub.cli.options import command
from hub.cli.output import Output, print_json
from hub.cli.redaction import redact
from hub.core.errors import FieldInvalid
from hub.core.lane import Order

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hub.cli.options import Run as CommandRun

_DEFAULT: Final = Options()
_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,40}")
_ORDERS: Final = {order.lower().replace("_", "-"): order for order in Order}
_NUMBERS: Final = {
    "seconds": "Length of an open-loop phase.",
    "interval": "ms between the frames of a lane in open loop.",
    "packets": "Packets of each closed-loop round.",
    "rounds": "Closed-loop rounds; the median counts.",
    "window": "Packets of a lane under way in closed loop.",
    "idle": "Packets that are sent one at a time.",
    "rest": "Seconds without a packet, whose CPU is told.",
    "minutes": "Slices of a soak, a minute each.",
    "slice-seconds": "Length of a slice of a soak.",
    "batch": "Most packets of a frame.",
    "payload": "Bytes of a packet's payload.",
    "peers": "City chains, each with a header a second.",
    "lanes": "Lanes that are open.",
    "active": "Of these, lanes that carry packets; 0 for all.",
    "relayers": "Relayer processes, which peers are dealt out to.",
    "keys": "Keys in each chain's store.",
    "behind": "Packets that active lanes have carried before.",
}


def _presets() -> str:
    return "\n".join([f"\b\n  {name:<10} {what}" for name, (what, _) in PRESETS.items()])


@click.group(
    invoke_without_command=True,
    help=f"""How fast the packet path is on this machine, with everything in new processes.

Cities, a hub, relayers and PostgreSQL run on the loopback; packets are proven in real trees and
sent at fixed times, so latencies run from the intended send to the proven acknowledgement. Options
change the preset's runs. Presets:

{_presets()}

Exits with 0 when every packet sent is complete and no invariant of the registry is broken, 11 when
not; timing never decides. A soak exits with 11 too where it is not flat: memory, tables or the
median latency grow beyond their limits by more than chance explains, and it says which.
""",
)
@click.option("--preset", type=click.Choice(list(PRESETS)), default="standard", show_default=True)
@click.option("--name", default="", metavar="NAME", help="Of the folder; the preset's if empty.")
@click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results"),
    show_default=True,
    help="Where the result's folder is made.",
)
@click.option(
    "--rate", type=int, multiple=True, help="Packets/s of open loop; repeatable; 0 for none."
)
@click.option(
    "--proofs", type=click.Choice([kind.value for kind in Proofs]), help="How packets are proven."
)
@click.option("--order", type=click.Choice(list(_ORDERS)), help="What lanes promise.")
@click.option("--family", type=click.Choice(FAMILIES), help="Of the chains' headers.")
@click.option(
    "--database-url", metavar="URL", help="An empty database of this machine to use instead."
)
@click.option(
    "-o",
    "--output",
    type=click.Choice([kind.value for kind in Output]),
    default=Output.TABLE.value,
    show_default=True,
    help="How to print.",
)
@click.pass_context
def bench(context: click.Context, /, **given: Any) -> int | None:
    """See the help above."""
    if context.invoked_subcommand is not None:
        return None
    return measure(**given)


def _with_numbers(group: click.Group) -> None:
    """An option for each number; what is not given stays as the preset has it."""
    for name, what in _NUMBERS.items():
        default = getattr(_DEFAULT, name.replace("-", "_"))
        shown = f"{what}  [standard: {default:,}]"
        group.params.append(click.Option([f"--{name}"], type=int, metavar="N", help=shown))


_with_numbers(bench)


@command(bench, "compare", calls=False)
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
async def compare(run: CommandRun, *, first: Path, second: Path) -> int:
    """Put two results beside each other: files, or their folders. Timing never decides: exits 0."""
    found = read_result(first), read_result(second)
    if not lines(*found):
        raise FieldInvalid(field=str(second), problem=_nothing_shared(*found))
    if run.output is Output.JSON:
        print_json(as_json(*found))
    else:
        click.echo(comparison(*found))
    return ExitCode.OK


def _nothing_shared(first: Result, second: Result) -> str:
    own = [f"{side} has {', '.join(names)}" for side, names in alone(first, second).items()]
    return f"has no numbers that {first.made_at} has: {'; '.join(own) or 'neither has any'}"


def measure(*, preset: str, name: str, results: Path, output: str, **given: Any) -> int:
    """The preset's runs, changed by what is given; the exit code."""
    if name and not _NAME.fullmatch(name):
        raise FieldInvalid(field="--name", problem=f"is not {_NAME.pattern}")
    planned = runs(preset, changes(given))
    for _, options in planned:
        check(options)
    made_at = machine.made_at(wall_clock())
    folder = make_folder(results, made_at, name or preset)
    result = Result(
        made_at=made_at,
        command=shlex.join(["ydhub", *[redact(word) for word in sys.argv[1:]]]),
        preset=preset,
        machine=machine.machine(),
        busy=machine.busy(),
        commit=machine.commit(),
        version=machine.program(),
    )
    try:
        result = asyncio.run(_Session(folder, result, _say).carry_out(planned))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        _say(f"kept in {folder}: result.json, table.txt, plot.svg")
    not_flat = [problem for run in result.runs for problem in soak.problems(run)]
    if output == Output.JSON:
        verdicts = {row.target.name: row.verdict for row in rows(result)}
        print_json(
            {
                **result.as_json(),
                "folder": str(folder),
                "verdicts": verdicts,
                "not_flat": not_flat,
            }
        )
    else:
        click.echo(text(result))
    return ExitCode.CORRUPT if result.problems or not_flat else ExitCode.OK


def changes(given: dict[str, Any]) -> dict[str, Any]:
    """What the options on the command line change, by the field's name."""
    found = {name: value for name, value in given.items() if value is not None and name != "rate"}
    if given.get("rate"):
        found["rates"] = tuple([rate for rate in given["rate"] if rate])
    if "order" in found:
        found["order"] = _ORDERS[found["order"]]
    if "proofs" in found:
        found["proofs"] = Proofs(found["proofs"])
    return found


class _Session:
    """The runs of one call; after each of them everything that is known is in the folder."""

    def __init__(self, folder: Path, result: Result, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._result = result
        self._say = say

    async def carry_out(self, planned: Sequence[tuple[str, Options]]) -> Result:
        """Every run in turn. What is known is kept, whatever ends it, SIGTERM too."""
        task = asyncio.current_task()
        if task is not None and threading.current_thread() is threading.main_thread():
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        for name, options in planned:
            run = Run(name, self._at_half(name, options), self._say)
            try:
                await run.carry_out()
            finally:
                self._result = replace(self._result, runs=(*self._result.runs, run.found))
                save(self._folder, self._result)
            if run.found.problems:
                break
        return self._result

    def _at_half(self, name: str, options: Options) -> Options:
        """A soak runs at half of what the run before it reached."""
        last = self._result.runs[-1] if self._result.runs else None
        reached = capacity(last) if last is not None and last.name == CAPACITY else None
        return at_half(options, reached) if name == SOAK and reached else options


def _say(line: str) -> None:
    click.echo(line, err=True)
