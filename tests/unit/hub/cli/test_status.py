from __future__ import annotations

from typing import TYPE_CHECKING

from hub.core.invariants import InvariantViolation
from hub.ports.registry import Sweep
from tests.harness.exchange import HANGZHOU
from tests.harness.registry import disproof

if TYPE_CHECKING:
    import pytest

    from hub.ports.registry import Sweep
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
    async def recent(sweep: Sweep) -> tuple[list[InvariantViolation], Sweep]:
        found = [InvariantViolation("one_effect", 3), InvariantViolation("other", 0)]
        return [*found, InvariantViolation("slow", 0, is_finished=False)], sweep

    monkeypatch.setattr(exchange.registry.audit, "recent", recent)
    found = await ydhub("status")
    assert found.code == 11
    assert found.error == "broken: one_effect, 3 rows\n"
    told = next(line for line in found.out.splitlines() if line.startswith("invariants"))
    assert told.split(maxsplit=1)[1] == "1 of 3 hold of the newest records, 1 not finished"


async def test_the_status_says_whose_reports_were_disproven(
    ydhub: Desk, exchange: Exchange
) -> None:
    packets = exchange.send()
    await exchange.accept(packets)
    await exchange.deliver(packets)
    await exchange.acknowledge(packets)
    await exchange.complete(packets)
    await exchange.registry.outcomes.reopen(exchange.fences[HANGZHOU], 1, 1, [disproof(0, 1)])
    found = await ydhub("status")
    row = ["reports", "of", "hangzhou", "1", "disproven", "by", "its", "own", "chain"]
    assert row in found.rows
    lane = await ydhub("lane", "get", "hangzhou~suzhou")
    assert ["open", "again", "1"] in lane.rows
