from __future__ import annotations

from typing import TYPE_CHECKING

from hub.ports.registry import InvariantViolation

if TYPE_CHECKING:
    import pytest

    from tests.harness.command_line import Desk
    from tests.harness.exchange import Exchange


async def test_the_status_fits_on_a_screen(ydhub: Desk, exchange: Exchange) -> None:
    await exchange.accept(exchange.send(2))
    found = await ydhub("status")
    assert found.code == 0
    assert ["packets", "accepted", "2"] in found.rows
    assert ["you", "are", "spiffe://ydhub.local/admins/li"] in found.rows
    assert any(row[:4] == ["relayer", "east-1", "hangzhou,", "suzhou,"] for row in found.rows)
    assert (await ydhub("status", "-o", "json")).json["peerCount"] == 2


async def test_a_broken_invariant_is_an_exit_code(
    ydhub: Desk, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def violations() -> list[InvariantViolation]:
        return [InvariantViolation("one_effect", 3, "row"), InvariantViolation("other", 0, "")]

    monkeypatch.setattr(exchange.registry.audit, "violations", violations)
    found = await ydhub("status")
    assert found.code == 11
    assert found.error == "broken: one_effect, 3 rows\n"
    assert ["invariants", "1", "of", "2", "hold"] in found.rows
