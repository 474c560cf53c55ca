from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.harness.inbound import Working, working
from tests.harness.station import Station, station

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def board() -> AsyncIterator[Station]:
    """A board over two chains with an open lane; nobody is attached."""
    async with station() as found:
        yield found


@pytest.fixture
async def wired(board: Station) -> Station:
    """Both adapters are attached, and nothing runs for them."""
    return await board.wire()


@pytest.fixture
async def owned(board: Station) -> Station:
    """Both adapters are attached, and everything runs for them."""
    return await board.own()


@pytest.fixture
async def at_work(wired: Station) -> AsyncIterator[Working]:
    """Both adapters are attached, and their frames are worked on."""
    async with working(wired) as found:
        yield found
