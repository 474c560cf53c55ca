"""What waits when a session begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relayer.owner import PeerOwner
from tests.harness.clock import settle, until
from tests.unit.relayer.test_owner import accepted, brought

if TYPE_CHECKING:
    import pytest

    from tests.harness.station import Station


async def test_nothing_is_sent_before_the_welcome(
    board: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = PeerOwner.sync

    async def slowly(*what: Any) -> None:
        await genuine(*what)
        await settle()

    monkeypatch.setattr(PeerOwner, "sync", slowly)
    await accepted(board.exchange, 3)
    await board.own()
    await until(lambda: sum(brought(board.right)) == 3)
    kinds = [one.WhichOneof("body") for one in board.right.frames]
    assert (kinds[0], kinds.count("welcome")) == ("welcome", 1)


async def test_frames_that_wait_go_whole_as_they_came(
    board: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relayer.steps.flow.BATCH", 4)
    monkeypatch.setattr("relayer.starts.BATCH", 4)
    exchange = board.exchange
    done = [await accepted(exchange, count) for count in (1, 3, 3, 2)]
    for frame in done:
        await exchange.deliver(frame)
        await exchange.acknowledge(frame)
    for count in (3, 3, 1, 3):
        await accepted(exchange, count)
    await board.own()
    await until(lambda: sum(brought(board.right)) == 10 and sum(brought(board.left)) == 9)
    assert sorted(brought(board.right)) == [1, 3, 3, 3]
    assert sorted(brought(board.left)) == [1, 2, 3, 3]
    asked = [*board.left.requests, *board.right.requests]
    assert [one for one in asked if one.HasField("proofs")] == []
