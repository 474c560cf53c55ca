"""``ydhub doctor``: asks, judges, tells. Exits with 0 where all is well, 1 for warnings, 2 else."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click
from rich.table import Table
from rich.text import Text

from hub.cli.doctor.findings import Level
from hub.cli.doctor.gather import URL_VARIABLE, Gathering, machine_clock
from hub.cli.doctor.invariants import as_dict, asked, table
from hub.cli.doctor.registry import CHECKS
from hub.cli.options import command
from hub.cli.output import Output, print_json, print_table
from hub.core.errors import FieldInvalid
from hub.core.time import SECOND
from hub.wire.duration import parse_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.cli.doctor.findings import Check, Examined, Verdict
    from hub.cli.options import Run

EXITS: Final = {Level.OK: 0, Level.UNKNOWN: 0, Level.WARNING: 1, Level.FAILED: 2}
_MARKS: Final = {
    Level.OK: "ok",
    Level.WARNING: "warning",
    Level.FAILED: "FAILED",
    Level.UNKNOWN: "not asked",
}
_RUNBOOKS: Final = "deploy/runbooks"


@dataclass(frozen=True, slots=True)
class Finding:
    """A check, and what it says."""

    check: Check
    verdict: Verdict

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {
            "check": self.check.name,
            "level": self.verdict.level,
            "looksAt": self.check.looks_at,
            "detail": self.verdict.detail,
            "fix": self.verdict.fix,
            "runbook": f"{_RUNBOOKS}/{self.check.runbook}.md",
        }


@click.group()
def _top() -> None:
    """Holds the one command."""


@command(_top, "doctor")
@click.option(
    "--database-url",
    default="",
    help="Ask the database itself, on its machine; the hub may be away.  [env: YDHUB_DATABASE_URL]",
)
@click.option(
    "--invariants", is_flag=True, help="Ask and list every invariant too; reads whole tables."
)
@click.option("--only", default="", metavar="PREFIX", help="Only checks of this name, as client.")
@click.option(
    "--between", default="1s", show_default=True, help="From one look at lanes to the next."
)
async def doctor(run: Run, *, database_url: str, invariants: bool, only: str, between: str) -> int:
    """Check the hub, its database, clients, lanes and packets; each finding names its fix.

    Exits with 0 where all is well, 1 where something warns, 2 where something has failed, as a
    broken invariant has.
    """
    wait = parse_duration(between, "--between")
    url = database_url or os.environ.get(URL_VARIABLE, "")
    seen = await examine(run, url, invariants=invariants, between_s=wait / SECOND)
    findings = judge(seen, only)
    if not findings:
        raise click.UsageError(f"no check begins with {only!r}")
    if run.output is Output.JSON:
        told: dict[str, Any] = {"findings": [finding.as_dict() for finding in findings]}
        if invariants:
            told["invariants"] = [as_dict(one) for one in asked(seen)]
        print_json(told)
    else:
        _tell(findings)
        if invariants:
            click.echo()
            print_table(table(asked(seen)))
    click.echo(summary(findings), err=True)
    return max(EXITS[finding.verdict.level] for finding in findings)


async def examine(run: Run, url: str, *, invariants: bool, between_s: float) -> Examined:
    """Everything that could be asked."""
    try:
        settings = run.settings()
    except FieldInvalid:
        settings = None
    gathering = Gathering(settings, machine_clock)
    await gathering.ask_hub(invariants=invariants and not url, between_s=between_s)
    if url:
        await gathering.ask_database(url, invariants=invariants)
    await gathering.read_certificates()
    return gathering.examined()


def judge(seen: Examined, only: str = "") -> list[Finding]:
    """What every check whose name begins with *only* says."""
    return [Finding(check, check.judge(seen)) for check in CHECKS if check.name.startswith(only)]


def summary(findings: Sequence[Finding]) -> str:
    """How many are how."""
    counts = {level: sum(finding.verdict.level is level for finding in findings) for level in Level}
    told = [f"{counts[level]} {_MARKS[level].lower()}" for level in Level if counts[level]]
    return f"{len(findings)} checks: {', '.join(told)}"


def _tell(findings: Sequence[Finding]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        verdict = finding.verdict
        table.add_row(_MARKS[verdict.level], Text(finding.check.name), Text(verdict.detail))
        if verdict.fix and verdict.level in {Level.WARNING, Level.FAILED}:
            table.add_row("", "  fix", Text(verdict.fix))
            table.add_row("", "  runbook", Text(f"{_RUNBOOKS}/{finding.check.runbook}.md"))
    print_table(table)
