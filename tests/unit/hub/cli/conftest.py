from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import structlog

from tests.harness.command_line import Desk
from tests.harness.exchange import Exchange
from tests.harness.hub_server import ADMIN, Served, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def quiet_server() -> Iterator[None]:
    """The server in this process logs to nobody: stdout is the command's."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.reset_defaults()


@pytest.fixture
async def exchange() -> Exchange:
    return await Exchange.opened()


@pytest.fixture
async def served(exchange: Exchange, tmp_path: Path) -> AsyncIterator[Served]:
    async with serve(exchange.registry, tmp_path / "certs") as found:
        yield found


@pytest.fixture
def ydhub(served: Served, tmp_path: Path) -> Desk:
    return Desk.at(tmp_path / "dev", served, ADMIN)
