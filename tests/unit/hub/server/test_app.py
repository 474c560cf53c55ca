from __future__ import annotations

import pytest

from hub.core.errors import FieldInvalid
from hub.registry.embedded import URL_VARIABLE
from hub.server.app import database_url, retire
from hub.server.retention import LEAST_KEPT_DAYS


def test_the_file_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL_VARIABLE, "postgresql://environment/db")
    assert database_url("postgresql://file/db") == "postgresql://file/db"
    assert database_url("") == "postgresql://environment/db"
    monkeypatch.delenv(URL_VARIABLE)
    with pytest.raises(FieldInvalid) as raised:
        database_url("")
    assert raised.value.field == "database_url"


async def test_records_of_the_last_half_year_are_never_dropped() -> None:
    with pytest.raises(FieldInvalid) as raised:
        await retire("postgresql://nowhere/db", LEAST_KEPT_DAYS - 1)
    assert raised.value.field == "--keep-days"
