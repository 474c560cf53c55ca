"""A hub server over an open lane, and the stubs of an administrator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.harness.exchange import Exchange
from tests.harness.hub_server import Served, Stubs, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def exchange() -> Exchange:
    return await Exchange.opened()


@pytest.fixture
async def served(exchange: Exchange, tmp_path: Path) -> AsyncIterator[Served]:
    async with serve(exchange.registry, tmp_path / "certs", reflection=True) as found:
        yield found


@pytest.fixture
async def admin(served: Served) -> AsyncIterator[Stubs]:
    async with Stubs(served) as stubs:
        yield stubs
