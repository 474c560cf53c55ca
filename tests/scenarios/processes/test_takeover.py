"""A second relayer takes over from one that is killed or stands still, and back."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import tomllib
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING

from hub.cli.dev import readiness
from hub.cli.dev.ca import issue, open_authority
from hub.cli.dev.configs import write
from hub.cli.dev.layout import CHAINS, RELAYER, TRUST_DOMAIN
from hub.cli.dev.network import STOP_WITHIN
from hub.wire.identity.spiffe import SpiffeId
from tests.harness.certificates import real_now
from tests.harness.traffic import a_packet_passes, load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.harness.network import LiveNetwork

SECOND = "relayer-2"


def free_address() -> str:
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{found.getsockname()[1]}"


def configure(live: LiveNetwork) -> str:
    """The second relayer's configuration and certificate stand; where it will listen."""
    layout, address = live.network.layout, free_address()
    identity = SpiffeId(TRUST_DOMAIN, "/relayers/dev-2")
    authority = open_authority(layout.ca, now=real_now())
    issue(authority, identity, layout.certs, SECOND, serves=True, now=real_now())
    certificate, key, ca = map(str, layout.certificate(SECOND))
    config = tomllib.loads(layout.config(RELAYER).read_text())
    config |= {"name": "dev-2", "listen": address, "metrics_port": 0}
    config["tls"] = {"cert_file": certificate, "key_file": key, "ca_file": ca}
    write(layout.config(SECOND), config)
    return address


@asynccontextmanager
async def second_relayer(live: LiveNetwork) -> AsyncIterator[None]:
    """Another relayer answers, and every city knows both."""
    processes, layout, address = live.network.processes, live.network.layout, configure(live)
    command = [sys.executable, "-m", "relayer", "--config", str(layout.config(SECOND))]
    processes.start(SECOND, command)
    try:
        await live.until(lambda: readiness.relayer_answers(layout, address), "the second relayer")
        both = live.network.addresses[RELAYER], address
        await asyncio.gather(*[live.dial(peer, *both) for peer in CHAINS])
        yield
    finally:
        await live.network.start(RELAYER)
        await processes.stop(SECOND, STOP_WITHIN)
        await asyncio.gather(*[live.dial(peer) for peer in CHAINS])


async def test_a_second_relayer_takes_over_from_one_that_stands_still_and_dies_itself(
    live: LiveNetwork,
) -> None:
    async with second_relayer(live):
        await load(live)
        live.network.processes.send(RELAYER, signal.SIGSTOP)
        try:
            await a_packet_passes(live)
        finally:
            live.network.processes.send(RELAYER, signal.SIGCONT)
        await load(live)
        await live.kill(SECOND)
        await a_packet_passes(live)
        await live.judged()
