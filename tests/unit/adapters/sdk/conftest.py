from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.core.ids import PeerId
from hub.wire import anchor_file
from tests.harness.anchors import make_anchor
from tests.harness.attached import Attached, attached

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[Attached]:
    """An adapter of hangzhou whose operator has an anchor of suzhou, and its relayer."""
    anchor_file.write(tmp_path / "suzhou.yaml", make_anchor("suzhou-1"), peer=PeerId("suzhou"))
    async with attached(tmp_path, anchors={"suzhou": tmp_path / "suzhou.yaml"}) as both:
        yield both
