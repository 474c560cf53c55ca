from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.core.errors import RegistryUnreachable
from hub.ports.forwarding import ForwardKind
from relayer.asked import POLL_EVERY, Asked
from tests.harness.clock import ManualClock
from tests.harness.exchange import HANGZHOU, SUZHOU

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from hub.core.ids import PeerId
    from tests.harness.station import Station


async def test_all_sessions_of_a_process_ask_once_a_round(
    wired: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    forwarding, clock = wired.registry.forwarding, ManualClock()
    genuine = forwarding.asked
    questions: list[list[PeerId]] = []

    async def asked(peers: Collection[PeerId]) -> Sequence[PeerId]:
        questions.append(list(peers))
        return await genuine(peers)

    monkeypatch.setattr(forwarding, "asked", asked)
    question = Asked(wired.registry, clock, {HANGZHOU, SUZHOU})
    await forwarding.ask(HANGZHOU, ForwardKind.REQUEST, b"", "west-1")
    assert [await question.of(peer) for peer in (HANGZHOU, SUZHOU)] == [True, False]
    assert len(questions) == 1
    await forwarding.ask(SUZHOU, ForwardKind.REQUEST, b"", "west-1")
    assert not await question.of(SUZHOU)
    await clock.advance(POLL_EVERY)
    assert await question.of(SUZHOU)
    assert [sorted(peers) for peers in questions] == [[HANGZHOU, SUZHOU]] * 2


async def test_a_question_that_failed_is_asked_again(
    wired: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(peers: Collection[PeerId]) -> Sequence[PeerId]:
        raise RegistryUnreachable(problem="away")

    question = Asked(wired.registry, ManualClock(), {HANGZHOU})
    with monkeypatch.context() as patch:
        patch.setattr(wired.registry.forwarding, "asked", away)
        with pytest.raises(RegistryUnreachable):
            await question.of(HANGZHOU)
    assert not await question.of(HANGZHOU)
