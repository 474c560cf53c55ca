"""``ydhub-server``: the hub's control plane, and the care of its registry.

Exit codes: 0 done, 1 an invariant is broken, 2 usage, 3 it cannot start.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from hub.wire.logs import set_up_logs  # before others that log

# isort: split
from hub.core.errors import HubError
from hub.server import app
from hub.server.config import load
from hub.wire import lifeline

CANNOT_START = 3
BROKEN = 1


def main() -> None:
    """Carries out one command."""
    arguments = _parser().parse_args()
    try:
        sys.exit(_run(arguments))
    except HubError as error:
        sys.stderr.write(f"ydhub-server: {error.reason}: {error}\n")
        sys.exit(CANNOT_START)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ydhub-server", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="serve the control plane until SIGTERM")
    serve.add_argument("--config", required=True, help="TOML file; see hub/server/config.py")
    serve.add_argument(lifeline.OPTION, action="store_true", help=lifeline.HELP)
    for name, text in (
        ("migrate", "bring the registry's schema to the newest revision"),
        ("check", "check the registry's schema and its invariants"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--database-url", default="", help="instead of YDHUB_DATABASE_URL")
    report = commands.add_parser("report", help="how the database is, as JSON; asks no hub")
    report.add_argument("--invariants", action="store_true", help="ask every invariant too")
    report.add_argument("--database-url", default="", help="instead of YDHUB_DATABASE_URL")
    retire = commands.add_parser("retire", help="drop days of records whose packets all ended")
    retire.add_argument("--keep-days", type=int, required=True, help="at least 180")
    retire.add_argument("--database-url", default="", help="instead of YDHUB_DATABASE_URL")
    rehearse = commands.add_parser("rehearse", help="for `ydhub bench`: a registry of its own")
    rehearse.add_argument("--database-url", default="", help="instead of YDHUB_DATABASE_URL")
    postgres = commands.add_parser("postgres", help="an embedded PostgreSQL, for development")
    postgres.add_argument("action", choices=["start", "stop", "run"])
    postgres.add_argument("--dir", type=Path, required=True, help="where all of it is kept")
    return parser


def _run(arguments: argparse.Namespace) -> int:
    match arguments.command:
        case "serve":
            config = load(arguments.config)
            set_up_logs(config.log_format)
            if arguments.ends_with_input:
                lifeline.hold()
            asyncio.run(app.serve(config))
        case "migrate":
            url = app.database_url(arguments.database_url)
            sys.stdout.write(asyncio.run(app.migrate(url)) + "\n")
        case "check":
            return _check(app.database_url(arguments.database_url))
        case "report":
            url = app.database_url(arguments.database_url)
            found = asyncio.run(app.report(url, ask_invariants=arguments.invariants))
            sys.stdout.write(found + "\n")
        case "retire":
            url = app.database_url(arguments.database_url)
            for day in asyncio.run(app.retire(url, arguments.keep_days)):
                sys.stdout.write(f"{day} dropped\n")
        case "rehearse":
            asyncio.run(app.rehearse(app.database_url(arguments.database_url)))
        case _:
            _postgres(arguments.action, arguments.dir)
    return 0


def _postgres(action: str, directory: Path) -> None:
    match action:
        case "start":
            sys.stdout.write(app.start_postgres(directory) + "\n")
        case "run":
            app.run_postgres(directory)
        case _:
            app.stop_postgres(directory)


def _check(url: str) -> int:
    """Prints the revision and every broken invariant; 1 if one is, or was not asked to the end."""
    revision, found = asyncio.run(app.check(url))
    broken = [violation for violation in found if violation.count]
    sys.stdout.write(f"schema {revision}, {len(found)} invariants, {len(broken)} broken\n")
    cut = [violation.invariant for violation in found if not violation.is_finished]
    for name in cut:
        sys.stdout.write(f"{name}: not finished in time\n")
    for violation in broken:
        sys.stdout.write(f"{violation.invariant}: {violation.count}, as {violation.samples[0]}\n")
    return BROKEN if broken or cut else 0


if __name__ == "__main__":
    main()
