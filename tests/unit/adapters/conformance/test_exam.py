from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.conformance.demand import Failed, NotExaminable
from adapters.conformance.watch import SESSIONS
from tests.harness.examined import PATIENCE, examined

if TYPE_CHECKING:
    from pathlib import Path


async def test_what_several_items_need_is_made_once(tmp_path: Path) -> None:
    made: list[int] = []

    async def make() -> int:
        made.append(1)
        return len(made)

    async with examined(tmp_path) as city:
        assert await city.exam.once("singing", make) == 1
        assert await city.exam.once("singing", make) == 1


async def test_what_was_not_made_is_told_to_all_who_need_it(tmp_path: Path) -> None:
    async def fail() -> None:
        raise Failed("a song", "silence")

    async with examined(tmp_path) as city:
        with pytest.raises(Failed):
            await city.exam.once("singing", fail)
        with pytest.raises(NotExaminable, match="needs what singing asks"):
            await city.exam.once("singing", fail)


async def test_nobody_sends_where_no_sender_is_named(tmp_path: Path) -> None:
    async with examined(tmp_path, has_users=False) as city:
        with pytest.raises(NotExaminable):
            _ = city.exam.sender


async def test_a_session_is_kept_until_it_is_left(tmp_path: Path) -> None:
    async with examined(tmp_path) as city:
        exam = city.exam
        first = await exam.attached()
        assert await exam.attached() is first
        exam.leave()
        second = await exam.attached()
        assert second is not first
        assert first.is_over
        assert SESSIONS not in exam.watch.breaches


async def test_a_session_that_ends_by_itself_is_a_breach(tmp_path: Path) -> None:
    async with examined(tmp_path) as city:
        exam = city.exam
        first = await exam.attached()
        first.is_silent = True
        await first.gone(PATIENCE.dial, "the end of a silent session")
        await exam.attached()
        assert SESSIONS in exam.watch.breaches
