from __future__ import annotations

import pytest

from hub.core.errors import RelayerNotFound
from hub.exchange import relayers
from hub.registry.memory import MemoryRegistry
from tests.harness.registry import ADMIN


async def test_a_relayer_is_shown_drains_and_takes_sessions_again() -> None:
    registry = MemoryRegistry()
    await registry.relayers.begin("east-1", "east-1:9700", "1.0")
    assert list(await relayers.all_of(registry)) == [await relayers.get(registry, "east-1")]
    found, already = await relayers.drain(registry, "east-1", "repair", ADMIN)
    assert (found.is_draining, already) == (True, False)
    assert (await relayers.drain(registry, "east-1", "repair", ADMIN))[1]
    found, already = await relayers.undrain(registry, "east-1", "done", ADMIN)
    assert (found.is_draining, already) == (False, False)


async def test_who_never_ran_is_not_found() -> None:
    with pytest.raises(RelayerNotFound):
        await relayers.drain(MemoryRegistry(), "east-1", "repair", ADMIN)
