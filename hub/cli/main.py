"""``ydhub``, its groups, and the one place where failures become exit codes.

A group's module is loaded when one of its commands runs: ``ydhub --version`` loads none.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

GROUPS: dict[str, tuple[str, str]] = {
    "dev": ("hub.cli.dev.commands:dev", "A development network on this machine."),
    "peer": ("hub.cli.peers:peer", "City chains that take part."),
    "relayer": ("hub.cli.relayers:relayer", "Relayer processes, which carry the packets."),
    "client": ("hub.cli.clients:client", "Light clients: the hub's own, and those on chains."),
    "lane": ("hub.cli.lanes:lane", "Lanes between two chains, one for each direction."),
    "route": ("hub.cli.routes:route", "Policy: which ports a lane carries."),
    "packet": ("hub.cli.packets:packet", "Packets: send, find, explain."),
    "cert": ("hub.cli.certificates:cert", "Certificates: inspect, renew, revoke."),
    "proof": ("hub.cli.proofs:proof", "Proof bundles: fetch, and verify offline."),
    "status": ("hub.cli.status:status", "How the hub is."),
    "top": ("hub.cli.top:top", "What every lane does, live."),
    "bench": ("hub.cli.bench.commands:bench", "How fast the packet path is on this machine."),
    "doctor": ("hub.cli.doctor.command:doctor", "Checks, each with its fix."),
    "support": ("hub.cli.support:support", "Help from afar: one file, without secrets."),
}
"""By name: where the command is defined, and what it is for."""

INTERRUPTED = 130
"""Source: 128 plus SIGINT, as shells count."""


class LazyGroup(click.Group):
    """Knows its commands by name, and loads them when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        del ctx
        return list(GROUPS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, loaded now; None if there is none of the name."""
        del ctx
        if cmd_name not in GROUPS:
            return None
        module, _, attribute = GROUPS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in the help text, without loading anything."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in GROUPS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ydhub", prog_name="ydhub")
def ydhub() -> None:
    """Proven packets between city chains.

    Where the hub is, and who you are, comes from the development network in .ydhub, or from
    --server, --cert, --key and --ca of each command.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command and exits with its code; see hub/cli/exit_codes.py."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; its exit code. Nothing is raised."""
    try:
        answer: Any = ydhub.main(arguments, prog_name="ydhub", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception as error:  # noqa: BLE001 - the last resort, told by its own code
        failure = importlib.import_module("hub.cli.failure")
        code: int = failure.show(error)
        return code
    return answer if isinstance(answer, int) else 0


if __name__ == "__main__":
    main()
