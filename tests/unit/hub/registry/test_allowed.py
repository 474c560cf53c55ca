from __future__ import annotations

from hub.registry.allowed import allowed_ports

ROUTES = (("transfer", "vault"), ("data", "data"))


def test_routes_are_as_they_were_asked_for_and_turned_round_on_the_way_back() -> None:
    assert allowed_ports(ROUTES, reverse=False) == [("transfer", "vault"), ("data", "data")]
    assert allowed_ports(ROUTES, reverse=True) == [("vault", "transfer"), ("data", "data")]
    assert allowed_ports((), reverse=True) == []
