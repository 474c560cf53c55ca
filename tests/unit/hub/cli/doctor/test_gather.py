from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub.cli.doctor.gather import Gathering, machine_clock
from hub.cli.settings import Given, resolve
from hub.core.time import SECOND
from tests.harness.command_line import Desk
from tests.harness.hub_server import ADMIN

if TYPE_CHECKING:
    from pathlib import Path

    from hub.cli.settings import Settings
    from tests.harness.exchange import Exchange
    from tests.harness.hub_server import Served


@pytest.fixture
def settings(served: Served, tmp_path: Path) -> Settings:
    return resolve(Given(directory=Desk.at(tmp_path / "dev", served, ADMIN).directory))


async def test_everything_is_asked_of_a_hub(settings: Settings, exchange: Exchange) -> None:
    await exchange.accept(exchange.send(2))
    gathering = Gathering(settings, machine_clock)
    await gathering.ask_hub(invariants=True, between_s=0)
    await gathering.read_certificates()
    seen = gathering.examined()
    assert (seen.hub_error, dict(seen.errors)) == ("", {})
    assert seen.server == settings.server
    assert seen.database is not None
    assert seen.database.invariants
    assert seen.hub_report is not None
    assert not seen.hub_report.invariants
    assert seen.invariants_asked
    assert not seen.database_is_direct
    assert seen.activity is not None
    assert seen.earlier is not None
    assert seen.activity.lanes[0].open_count == 2
    assert seen.peers is not None
    assert seen.clients is not None
    assert (len(seen.peers), len(seen.clients) >= 2) == (2, True)
    assert seen.asked_at is not None
    assert abs(seen.asked_at - machine_clock()) < 60 * SECOND
    assert set(seen.certificates) == {"own", "ca", "hub"}


async def test_what_a_caller_may_not_ask_is_noted(served: Served, tmp_path: Path) -> None:
    desk = Desk.at(tmp_path / "city", served, "/peers/hangzhou")
    gathering = Gathering(resolve(Given(directory=desk.directory)), machine_clock)
    await gathering.ask_hub(invariants=True, between_s=0)
    seen = gathering.examined()
    assert seen.hub_error == ""
    assert set(seen.errors) == {"lanes", "database", "clients", "peers"}
    assert set(seen.errors.values()) == {"IDENTITY_NOT_ALLOWED"}
    assert (seen.database, seen.activity, seen.clients) == (None, None, None)
    assert not seen.invariants_asked


async def test_a_hub_that_is_away_is_noted(settings: Settings) -> None:
    away = replace(settings, server="127.0.0.1:1")
    gathering = Gathering(away, machine_clock)
    await gathering.ask_hub(invariants=False, between_s=0)
    await gathering.read_certificates()
    seen = gathering.examined()
    assert seen.hub_error.startswith("UNAVAILABLE")
    assert seen.database is None
    assert set(seen.certificates) == {"own", "ca"}
    assert "127.0.0.1:1" in seen.errors["hub's certificate"]


async def test_a_hub_that_nobody_knows_is_noted() -> None:
    gathering = Gathering(None, machine_clock)
    await gathering.ask_hub(invariants=False, between_s=0)
    await gathering.read_certificates()
    assert "--server" in gathering.examined().hub_error


async def test_certificates_that_are_none_are_noted(settings: Settings, tmp_path: Path) -> None:
    odd = tmp_path / "odd.pem"
    odd.write_text("-----BEGIN CERTIFICATE-----\nodd\n-----END CERTIFICATE-----\n")
    broken = replace(settings, cert_file=odd, ca_file=tmp_path / "none.pem")
    gathering = Gathering(broken, machine_clock)
    await gathering.ask_hub(invariants=False, between_s=0)
    await gathering.read_certificates()
    seen = gathering.examined()
    assert dict(seen.certificates) == {}
    assert {"own's certificate", "ca's certificate", "hub's certificate"} <= set(seen.errors)
    assert seen.hub_error


async def test_a_database_that_is_away_is_noted() -> None:
    gathering = Gathering(None, machine_clock)
    await gathering.ask_database("postgresql://nobody@127.0.0.1:1/none", invariants=False)
    seen = gathering.examined()
    assert seen.database is None
    assert "REGISTRY_UNREACHABLE" in seen.errors["database"]
