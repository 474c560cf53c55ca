"""A second relayer beside a development network's own, and cities that know both."""

from __future__ import annotations

import asyncio
import sys
import tomllib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from ydhub.peer.v1 import peer_service_pb2

from hub.cli.dev import readiness
from hub.cli.dev.ca import issue, open_authority
from hub.cli.dev.configs import write
from hub.cli.dev.layout import CHAINS, RELAYER, RELAYER_NAME, TRUST_DOMAIN
from hub.cli.dev.network import STOP_WITHIN
from hub.wire.identity.spiffe import SpiffeId
from tests.harness.certificates import real_now
from tests.harness.ports import free_addresses

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.harness.network import LiveNetwork

SECOND: Final = "relayer-2"
SECOND_NAME: Final = "dev-2"
PROCESS_OF: Final = {RELAYER_NAME: RELAYER, SECOND_NAME: SECOND}
"""The process by the relayer's name."""


class Pair:
    """Two relayers, and how each is started again."""

    def __init__(self, live: LiveNetwork, address: str) -> None:
        """The second one listens at *address*."""
        self.live = live
        self.addresses = {RELAYER: live.network.addresses[RELAYER], SECOND: address}

    def launch(self, process: str) -> None:
        """The process has begun, whether it answers or not."""
        if process != SECOND:
            self.live.network.launch(process)
            return
        config = str(self.live.network.layout.config(SECOND))
        command = [sys.executable, "-m", "relayer", "--config", config]
        self.live.network.processes.start(SECOND, command)

    async def answers(self, process: str) -> bool:
        """Whether the relayer takes connections."""
        layout = self.live.network.layout
        return await readiness.relayer_answers(layout, self.addresses[process])

    async def start(self, process: str) -> None:
        """The relayer runs and answers."""
        if not self.live.network.processes.is_running(process):
            self.launch(process)
        await self.live.until(lambda: self.answers(process), process)

    async def owners(self) -> dict[str, str]:
        """The process that owns each peer's session now."""
        async with self.live.hub() as hub:
            listed = await hub.call(hub.peers.ListPeers, peer_service_pb2.ListPeersRequest())
        return {
            peer.name.removeprefix("peers/"): PROCESS_OF[peer.relayer]
            for peer in listed.peers
            if peer.attached
        }

    async def shared(self) -> None:
        """Returns once every city is attached, and both relayers have some of them."""

        async def both_have_some() -> bool:
            found = await self.owners()
            return len(found) == len(CHAINS) and set(found.values()) == {RELAYER, SECOND}

        await self.live.until(both_have_some, "both relayers' shares")


def configure(live: LiveNetwork) -> str:
    """The second relayer's configuration and certificate stand; where it will listen."""
    layout, [address] = live.network.layout, free_addresses(1)
    identity = SpiffeId(TRUST_DOMAIN, f"/relayers/{SECOND_NAME}")
    authority = open_authority(layout.ca, now=real_now())
    issue(authority, identity, layout.certs, SECOND, serves=True, now=real_now())
    certificate, key, ca = map(str, layout.certificate(SECOND))
    config = tomllib.loads(layout.config(RELAYER).read_text())
    config |= {"name": SECOND_NAME, "listen": address, "metrics_port": 0}
    config["tls"] = {"cert_file": certificate, "key_file": key, "ca_file": ca}
    write(layout.config(SECOND), config)
    return address


@asynccontextmanager
async def pair(live: LiveNetwork) -> AsyncIterator[Pair]:
    """Another relayer answers, and every city knows both."""
    made = Pair(live, configure(live))
    try:
        await made.start(SECOND)
        both = made.addresses.values()
        await asyncio.gather(*[live.dial(peer, *both) for peer in CHAINS])
        yield made
    finally:
        await live.network.start(RELAYER)
        await live.network.processes.stop(SECOND, STOP_WITHIN)
        await asyncio.gather(*[live.dial(peer) for peer in CHAINS])
