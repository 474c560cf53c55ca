"""``ydhub-cosmos``: the adapter of a Cosmos chain with ibc-go v10, and what its operator needs."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hub.wire.logs import set_up_logs  # before others that log

# isort: split
from adapters.cosmos import anchoring, checkup
from adapters.cosmos.config import load
from adapters.cosmos.process import run
from adapters.cosmos.tx.keys import read_keys, write_new_keys
from hub.core.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_KEYS: Final = 64


def main(arguments: Sequence[str] | None = None) -> None:
    """Does what it is asked; exits with 3 where it cannot, telling why in one line."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except HubError as error:
        sys.stderr.write(f"ydhub-cosmos: {error.reason}: {error}\n")
        sys.exit(3)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ydhub-cosmos", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    runs = commands.add_parser("run", help="run the adapter until SIGTERM")
    runs.add_argument("--config", required=True, help="TOML file; see adapters/cosmos/config.py")
    runs.set_defaults(command=_run)

    checks = commands.add_parser("check", help="whether nodes, keys, funds and anchors are ready")
    checks.add_argument("--config", required=True, help="as of run")
    checks.set_defaults(command=_check)

    anchor = commands.add_parser("anchor", help="print the chain's anchor as a peer file")
    anchor.add_argument("--node", required=True, help="CometBFT RPC address, http://host:port")
    anchor.add_argument("--chain-id", required=True)
    anchor.add_argument("--peer", required=True, help="the peer's name at the hub")
    anchor.add_argument("--display-name", default="")
    anchor.add_argument("--height", type=int, default=0, help="default: the newest block")
    anchor.add_argument("--trust-level", default="1/3")
    anchor.add_argument(
        "--trusting-period", default="336h", help="below the chain's unbonding period"
    )
    anchor.add_argument("--max-clock-drift", default="10s")
    anchor.set_defaults(command=_anchor)

    keys = commands.add_parser("keys", help="the accounts that sign").add_subparsers(
        required=True, metavar="COMMAND"
    )
    new = keys.add_parser("new", help="write new keys to a file of the operator's own")
    new.add_argument("file")
    new.add_argument("--count", type=int, default=4, choices=range(1, MAX_KEYS + 1), metavar="N")
    listed = keys.add_parser("list", help="print the addresses of a file's keys")
    listed.add_argument("file")
    for command, action in ((new, _new_keys), (listed, _list_keys)):
        command.add_argument("--address-prefix", default="cosmos")
        command.set_defaults(command=action)
    return parser


def _run(options: argparse.Namespace) -> None:
    config = load(options.config)
    set_up_logs(config.log_format)
    asyncio.run(run(config))


def _check(options: argparse.Namespace) -> None:
    if not asyncio.run(checkup.run(load(options.config), sys.stdout)):
        sys.exit(1)


def _anchor(options: argparse.Namespace) -> None:
    sys.stdout.write(
        asyncio.run(
            anchoring.peer_file(
                options.node,
                peer=options.peer,
                display_name=options.display_name,
                chain_id=options.chain_id,
                height=options.height,
                trust=anchoring.trust_options(
                    options.trust_level, options.trusting_period, options.max_clock_drift
                ),
            )
        )
    )


def _new_keys(options: argparse.Namespace) -> None:
    for key in write_new_keys(Path(options.file), options.count, options.address_prefix):
        sys.stdout.write(f"{key.address}\n")


def _list_keys(options: argparse.Namespace) -> None:
    for key in read_keys(Path(options.file), options.address_prefix):
        sys.stdout.write(f"{key.address}\n")


if __name__ == "__main__":
    main()
