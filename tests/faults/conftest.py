"""One network for all kills: each must leave it whole for the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.harness.network import HANGZHOU, SHANGHAI, SUZHOU, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness.network import LiveNetwork


@pytest.fixture(scope="package")
def live() -> Iterator[LiveNetwork]:
    with running((HANGZHOU, SUZHOU), (HANGZHOU, SHANGHAI), is_split=True) as network:
        yield network
