"""A registry that is slow, or refuses everyone: errors are typed, nothing is lost, all go on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from ydhub.hub.v1 import status_service_pb2

from hub.cli.dev.layout import CHAINS, PROCESSES, RELAYER
from hub.core.errors import Reason
from hub.wire.status import RemoteError
from tests.harness.database_faults import refusing, slow
from tests.harness.network import HANGZHOU, SHANGHAI
from tests.harness.traffic import a_packet_passes, load

if TYPE_CHECKING:
    from tests.harness.network import LiveNetwork

pytestmark = pytest.mark.timeout(300)

FAILURES = 12
"""Of the relayer's writes and leases; so long that every lease has ended."""


def failures(live: LiveNetwork) -> list[dict[str, Any]]:
    """What the relayer has logged of a registry that does not answer."""
    lines = live.network.layout.log(RELAYER).read_text(errors="replace").splitlines()
    entries = [json.loads(line) for line in lines if line.startswith("{")]
    return [one for one in entries if one.get("reason") == Reason.REGISTRY_UNREACHABLE]


async def test_a_database_that_refuses_connections_for_long_loses_nothing_and_errors_are_typed(
    live: LiveNetwork,
) -> None:
    await load(live)
    before = [live.network.number(name) for name in PROCESSES]
    known = len(failures(live))
    async with refusing(live):

        async def it_lasts() -> bool:
            return len(failures(live)) >= known + FAILURES

        await live.until(it_lasts, "failures of the relayer")
        async with live.hub() as hub:
            with pytest.raises(RemoteError) as caught:
                await hub.call(hub.status.GetStatus, status_service_pb2.GetStatusRequest())
        assert caught.value.reason is Reason.REGISTRY_UNREACHABLE
    await live.attached(*CHAINS)
    await a_packet_passes(live)
    await a_packet_passes(live, HANGZHOU, SHANGHAI)
    assert [live.network.number(name) for name in PROCESSES] == before
    await live.judged()


async def test_a_slow_database_slows_everyone_and_loses_nothing(live: LiveNetwork) -> None:
    async with slow(live):
        await load(live)
        await a_packet_passes(live)
        await a_packet_passes(live, HANGZHOU, SHANGHAI)
    await live.judged()
