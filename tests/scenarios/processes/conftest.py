"""One network for all scenarios of whole processes: each must leave it whole for the next."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.harness.network import HANGZHOU, SHANGHAI, SUZHOU, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness.network import LiveNetwork


@pytest.fixture(scope="package")
def live() -> Iterator[LiveNetwork]:
    pairs = ((HANGZHOU, SUZHOU), (HANGZHOU, SHANGHAI))
    with running(*pairs) as network:
        yield network
        asyncio.run(network.judged())
