from __future__ import annotations

import pytest
from sqlalchemy import bindparam, select

from hub.registry.reads import Read
from hub.registry.tables.clients import headers


def test_parameters_are_numbered_in_their_order() -> None:
    query = select(headers.c.root).where(
        headers.c.peer == bindparam("peer"), headers.c.height <= bindparam("height")
    )
    read = Read(query)
    assert "headers.peer = $1" in read.text
    assert "headers.height <= $2" in read.text


def test_what_nobody_would_give_is_refused() -> None:
    with pytest.raises(ValueError, match="would have to be given"):
        Read(select(headers.c.root).where(headers.c.height == 7))
