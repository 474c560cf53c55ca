from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from hub.cli import top
from hub.cli.top import clients_of, rows_of, summary, table_of
from tests.harness.sick_hub import LANE, activity, ago, client, exception, lane

if TYPE_CHECKING:
    import pytest

    from tests.harness.command_line import Desk
    from tests.harness.exchange import Exchange

SHORT = LANE.removeprefix("lanes/")
PARKED: Any = 4


def test_rates_are_differences_of_the_registrys_numbers() -> None:
    before, now = activity(lane()), activity(lane(accepted_count=1300, completed_count=1085))
    before.time.CopyFrom(ago(2))
    (row,) = rows_of(before, now, [])
    assert (row.accepted_rate, row.completed_rate) == (150, 50)
    assert (row.open, row.owed, row.oldest_ns) == (10, 5, 2 * 10**9)


def test_a_lane_that_is_new_has_no_rate_yet() -> None:
    before = activity(lane(lane="lanes/a~b-1~c~d-1"))
    before.time.CopyFrom(ago(1))
    (row,) = rows_of(before, activity(lane(oldest_open_time=None)), [])
    assert (row.accepted_rate, row.oldest_ns) == (0, 0)


def test_the_first_end_of_trust_of_its_four_clients_counts() -> None:
    clients = [
        client(expire_time=ago(-500)),
        client(name="peers/hangzhou/clients/07-tendermint-0", expire_time=ago(-300)),
        client(name="peers/shanghai/client", expire_time=ago(-100)),
        client(name="peers/hangzhou/client", expire_time=None),
    ]
    (row,) = rows_of(activity(), activity(), clients)
    assert row.trust_ends == ago(-300)
    assert clients_of(LANE)[2:] == ["peers/suzhou/client", "peers/suzhou/clients/07-tendermint-0"]


def test_exceptions_and_stops_are_shown() -> None:
    found = exception(PARKED, 9, 3)
    found.destination_stopped = "frozen"
    rows = rows_of(activity(), activity(found), [])
    assert (rows[0].state, rows[0].exceptions) == ("STOPPED", {"PARKED": 3})
    assert summary(rows) == (
        "1 lanes, 0.0 packets/s in, 0.0 done, 10 open, the oldest 2s, 3 parked"
    )
    assert summary([]).startswith("0 lanes")
    assert table_of(rows).row_count == 1


async def test_one_look_is_for_programs(ydhub: Desk, exchange: Exchange) -> None:
    await exchange.accept(exchange.send(2))
    found = await ydhub("top", "--once", "--every", "10ms", "-o", "json")
    here, back = found.json["lanes"]
    assert (here["lane"], here["open"], here["owed"]) == (str(exchange.key), 2, 0)
    assert here["oldestOpenSeconds"] >= 0
    assert (back["open"], back["oldestOpenSeconds"]) == (0, 0)
    table = await ydhub("top", "--once", "--every", "10ms")
    assert table.rows[0][0] == "LANE"
    assert table.rows[1][:2] == [str(exchange.key), "OPEN"]
    assert (await ydhub("top", "--once", "--every", "x")).code == 3


async def test_it_looks_again_and_again(
    ydhub: Desk, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[object] = []
    look = top._look

    async def counted(hub: Any) -> Any:
        looks.append(hub)
        if len(looks) > 12:
            raise KeyboardInterrupt
        return await look(hub)

    monkeypatch.setattr(top, "_look", counted)
    found = await asyncio.wait_for(ydhub("top", "--every", "1ms"), 20)
    assert (found.code, len(looks)) == (130, 13)
