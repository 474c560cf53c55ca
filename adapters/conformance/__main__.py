"""``ydhub-conformance``: the exam that an adapter passes before its lanes carry packets."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog
from rich.console import Console

from adapters.conformance import process, report
from adapters.conformance.exam import EXAMINER
from adapters.conformance.items import ITEMS
from adapters.sdk.clock import SystemClock
from hub.core.errors import HubError

if TYPE_CHECKING:
    from adapters.conformance.check import Result

NOT_PASSED: Final = 1
NO_EXAM: Final = 3
"""The exam could not begin."""
_WIDTH: Final = 120
"""Characters of the report where it goes to no terminal."""


def main() -> None:
    """Runs a command; exits with 0 if all passed, 1 if not, 2 for usage, 3 if it cannot begin."""
    arguments = _parser().parse_args()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    try:
        sys.exit(_COMMANDS[arguments.command](arguments, console))
    except HubError as error:
        sys.stderr.write(f"ydhub-conformance: {error.reason}: {error}\n")
        sys.exit(NO_EXAM)


def _run(arguments: argparse.Namespace, console: Console) -> int:
    terms = process.Terms(
        peer=arguments.peer,
        listen=arguments.listen,
        cert_file=arguments.cert,
        key_file=arguments.key,
        ca_file=arguments.ca,
        anchor_file=arguments.anchor,
        directory=Path(arguments.directory),
        examiner=arguments.examiner,
        sender_file=arguments.sender,
        only=arguments.only,
    )
    errors = Console(stderr=True)

    def told(result: Result) -> None:
        errors.print(f"{result.check.name}: {result.grade}", highlight=False, markup=False)

    results = asyncio.run(process.run(terms, SystemClock(), told))
    report.print_results(console, arguments.peer, results)
    if arguments.junit:
        report.write_junit(Path(arguments.junit), arguments.peer, results)
    return 0 if report.has_passed(results) else NOT_PASSED


def _anchor(arguments: argparse.Namespace, console: Console) -> int:
    process.write_anchor(
        Path(arguments.directory), arguments.out, arguments.examiner, SystemClock()
    )
    console.print(f"{arguments.out}: the anchor of peers/{arguments.examiner}", highlight=False)
    return 0


def _list(_: argparse.Namespace, console: Console) -> int:
    report.print_items(console, ITEMS)
    return 0


_COMMANDS: Final = {"run": _run, "anchor": _anchor, "list": _list}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ydhub-conformance", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="examine the adapter that dials")
    anchor = commands.add_parser("anchor", help="write the anchor of the examiner's own chain")
    commands.add_parser("list", help="what each item asks")
    for command in (run, anchor):
        command.add_argument(
            "--directory", default="ydhub-conformance", help="of the examiner's own chain"
        )
        command.add_argument(
            "--examiner", default=EXAMINER, help="the peer that the adapter knows it by"
        )
    anchor.add_argument("--out", required=True, help="the file for the adapter's operator")
    run.add_argument("--peer", required=True, help="the adapter's peer")
    run.add_argument("--listen", required=True, help="host:port that the adapter dials")
    run.add_argument("--cert", required=True, help="PEM certificate of a relayer, which serves")
    run.add_argument("--key", required=True, help="its PEM key")
    run.add_argument("--ca", required=True, help="PEM of the CA that the adapter is judged by")
    run.add_argument("--anchor", required=True, help="anchor file of the adapter's chain")
    run.add_argument("--sender", default="", help="TOML file of the chain's users")
    run.add_argument("--junit", default="", help="file for the results as JUnit XML")
    run.add_argument("--only", action="append", default=[], help="an item's name; repeatable")
    return parser


if __name__ == "__main__":
    main()
