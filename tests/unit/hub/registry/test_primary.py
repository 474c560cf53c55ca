from __future__ import annotations

from dataclasses import replace

import pytest

from hub.core.errors import RegistryUnreachable, TimelineOutdated
from hub.registry.engine import database_url
from hub.registry.primary import Identity, Servers, hosts_apart

USER = "hub:" + "a%2Cb"
FIRST = Identity(system=7, timeline=3, is_standby=False, started="noon")


def servers(text: str = "postgresql://hub@db1:5432,db2:5433/ydhub") -> Servers:
    return Servers(database_url(text), {"application_name": "test"})


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("postgresql://hub@db1:5432,db2:5433/ydhub", ["db1:5432", "db2:5433"]),
        (f"postgresql://{USER}@db1,db2/ydhub?ssl=require", ["db1:5432", "db2:5432"]),
        ("postgresql://hub@/ydhub?host=db1:5432&host=db2:5433", ["db1:5432", "db2:5433"]),
        ("postgresql://hub@db1:5433/ydhub", ["db1:5433"]),
        ("postgresql://hub@/ydhub?host=/run/postgresql", ["/run/postgresql"]),
        ("postgresql://", ["the default server"]),
    ],
)
def test_an_address_names_one_server_or_several(text: str, names: list[str]) -> None:
    found = servers(text)
    assert [found.name(number) for number in range(found.count)] == names


def test_an_address_of_several_keeps_everything_else() -> None:
    url = database_url(f"postgresql://{USER}@db1,db2/ydhub?ssl=require")
    assert (url.username, url.password, url.database) == ("hub", "a,b", "ydhub")
    assert url.query["ssl"] == "require"
    assert hosts_apart("postgresql://hub@db1/a,b") == "postgresql://hub@db1/a,b"


def test_the_newest_timeline_counts_and_everybody_hears_of_a_promotion() -> None:
    found, heard = servers(), []
    found.on_promotion = lambda: heard.append("promoted")
    found.admit(0, FIRST)
    found.admit(0, replace(FIRST, started="one o'clock"))
    assert (found.primary, heard) == (0, [])
    found.admit(1, replace(FIRST, timeline=4))
    assert (found.primary, heard) == (1, ["promoted"])
    with pytest.raises(TimelineOutdated) as caught:
        found.admit(0, FIRST)
    told = (caught.value.server, caught.value.got, caught.value.expected)
    assert told == ("db1:5432", "timeline 3", "timeline 4")
    assert found.primary == 1


def test_another_cluster_is_never_taken_for_it_whatever_its_timeline() -> None:
    found = servers()
    found.admit(0, FIRST)
    with pytest.raises(TimelineOutdated) as caught:
        found.admit(1, replace(FIRST, system=8, timeline=9))
    assert caught.value.got == "system 8"


def test_a_standby_is_no_primary_and_alone_it_is_the_wrong_address() -> None:
    several, lone = servers(), servers("postgresql://hub@db1/ydhub")
    for found in (several, lone):
        with pytest.raises(RegistryUnreachable):
            found.admit(0, replace(FIRST, is_standby=True))
        assert found.primary is None
    assert (several.is_lone_standby, lone.is_lone_standby) == (False, True)


def test_two_primaries_on_one_timeline_are_both_refused_unless_they_are_one() -> None:
    found = servers()
    found._check_alone(0, {0: FIRST, 1: FIRST})
    found._check_alone(0, {0: FIRST, 1: replace(FIRST, timeline=2, started="earlier")})
    with pytest.raises(TimelineOutdated) as caught:
        found._check_alone(0, {0: FIRST, 1: replace(FIRST, started="one o'clock")})
    assert caught.value.expected == "one primary alone"
    with pytest.raises(TimelineOutdated):
        found._check_alone(0, {0: FIRST, 1: replace(FIRST, system=8, timeline=1)})
