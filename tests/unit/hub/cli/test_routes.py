from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.harness.command_line import Desk
    from tests.harness.exchange import Exchange

BETWEEN = "hangzhou~suzhou"


async def test_a_route_is_allowed_with_its_limits(ydhub: Desk, exchange: Exchange) -> None:
    words = (
        "route", "allow", BETWEEN, "notary~archive", "--data-class", "general", "--purpose",
        "land registry", "--max-payload", 1024, "--max-timeout", "1h",
    )  # fmt: skip
    found = await ydhub(*words)
    assert found.error.endswith("is set, for packets to come\n")
    assert ["max", "timeout", "1h"] in found.rows
    assert (await ydhub(*words)).error.endswith("was set before\n")
    listed = await ydhub("route", "list", BETWEEN)
    assert [str(exchange.key), "notary~archive", "ALLOW", "1024", "1h"] == listed.rows[1][:5]


async def test_a_route_is_denied(ydhub: Desk, exchange: Exchange) -> None:
    found = await ydhub("route", "deny", BETWEEN, "transfer~transfer", "-o", "json")
    assert found.json["action"] == "ACTION_DENY"
    everywhere = await ydhub("route", "list", "-o", "json")
    actions = {route["name"]: route["action"] for route in everywhere.json["routes"]}
    assert actions == {
        f"{exchange.key.name}/routes/transfer~transfer": "ACTION_DENY",
        f"{exchange.key.reverse.name}/routes/transfer~transfer": "ACTION_ALLOW",
    }


async def test_a_route_is_limited_and_no_more(ydhub: Desk) -> None:
    words = ("route", "limit", BETWEEN, "transfer~transfer")
    found = await ydhub(*words, "--rate", "100/s", "--burst", "500")
    assert found.error.endswith("is limited so, from now on\n")
    assert ["rate", "100/s,", "500", "at", "once"] in found.rows
    again = await ydhub(*words, "--rate", "100/s", "--burst", "500")
    assert again.error.endswith("was limited so before\n")
    listed = await ydhub("route", "list", BETWEEN, "-o", "json")
    [limit] = [route["limit"] for route in listed.json["routes"] if "limit" in route]
    assert limit == {"packets": "100", "period": "1s", "burst": "500"}
    assert (await ydhub(*words, "--rate", "5/m", "-o", "json")).json["limit"]["burst"] == "5"
    assert "limit" not in (await ydhub(*words, "--none", "-o", "json")).json


async def test_a_limit_that_makes_no_sense_is_refused(ydhub: Desk) -> None:
    words = ("route", "limit", BETWEEN)
    assert (await ydhub(*words, "transfer~transfer")).code == 2
    assert (await ydhub(*words, "transfer~transfer", "--none", "--rate", "1/s")).code == 2
    assert (await ydhub(*words, "transfer~transfer", "--rate", "fast")).code == 3
    assert (await ydhub(*words, "transfer~transfer", "--rate", "1/2d")).code == 3
    assert (await ydhub(*words, "aa~bb", "--rate", "1/s")).code == 6


async def test_a_route_that_makes_no_sense_is_refused(ydhub: Desk) -> None:
    assert (await ydhub("route", "allow", BETWEEN, "transfer")).code == 3
    assert (await ydhub("route", "allow", BETWEEN, "aa~bb", "--max-timeout", "long")).code == 3
    assert (await ydhub("route", "deny", "hangzhou~shanghai", "aa~bb")).code == 6
