from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness.command_line import Desk
    from tests.harness.exchange import Exchange


@pytest.fixture(autouse=True)
async def east(exchange: Exchange) -> None:
    """One relayer runs."""
    await exchange.registry.relayers.begin("east-1", "127.0.0.1:9700", "1.0")


async def test_relayers_are_listed(ydhub: Desk) -> None:
    found = await ydhub("relayer", "list")
    assert found.rows[0] == ["RELAYER", "STATE", "SESSIONS", "ADDRESS", "VERSION", "SINCE"]
    assert found.rows[1][:5] == ["east-1", "ACTIVE", "2", "127.0.0.1:9700", "1.0"]


async def test_a_relayer_is_found_by_its_short_name(ydhub: Desk) -> None:
    for name in ("east-1", "relayers/east-1"):
        found = await ydhub("relayer", "get", name, "-o", "json")
        assert found.json["name"] == "relayers/east-1"


async def test_a_relayer_drains_until_it_is_undone(ydhub: Desk) -> None:
    drain = ("relayer", "drain", "east-1", "--cause", "repair")
    assert (await ydhub(*drain)).error == "relayers/east-1 drains\n"
    again = await ydhub(*drain, "-o", "json")
    assert again.error == "relayers/east-1 drained before\n"
    assert again.json["state"] == "RELAYER_STATE_DRAINING"
    assert (await ydhub(*drain, "--undo")).error == "relayers/east-1 takes sessions\n"
    assert (await ydhub(*drain, "--undo")).error == "relayers/east-1 took sessions before\n"


async def test_a_relayer_that_never_ran_is_told_with_its_fix(ydhub: Desk) -> None:
    found = await ydhub("relayer", "get", "nobody")
    assert found.code == 6
    assert "error RELAYER_NOT_FOUND: relayers/nobody never ran" in found.error
