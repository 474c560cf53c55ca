from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from hub.cli.dev.addresses import choose, read
from hub.cli.dev.layout import CHAINS

if TYPE_CHECKING:
    from pathlib import Path

    from hub.cli.dev.addresses import Addresses


def all_of(found: Addresses) -> list[str]:
    own = [found.hub, found.relayer, found.metrics, found.hub_metrics, found.enrolment]
    return [*own, *found.chains.values(), *found.adapters.values()]


def test_every_listener_has_a_port_of_its_own() -> None:
    found = choose({}, lambda _: False)
    assert len(set(all_of(found))) == 5 + len(CHAINS)
    for address in all_of(found):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", int(address.rpartition(":")[2])))


def test_adapters_that_are_processes_of_their_own_have_ports_too() -> None:
    found = choose({}, lambda _: False, is_split=True)
    assert len(set(all_of(found))) == 5 + 2 * len(CHAINS)
    known = {f"{peer}-adapter": address for peer, address in found.adapters.items()}
    assert choose(known, lambda _: False, is_split=True).adapters == found.adapters
    assert choose(known, lambda _: False).adapters == {}


def test_addresses_are_kept_where_nobody_else_listens() -> None:
    first = choose({}, lambda _: False)
    known = {"hub": first.hub, "relayer": first.relayer, "metrics": first.metrics}
    known["hub_metrics"] = first.hub_metrics
    known["enrolment"] = first.enrolment
    known.update({str(peer): address for peer, address in first.chains.items()})
    assert choose(known, lambda _: False) == first
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", int(first.hub.rpartition(":")[2])))
        stranger.listen()
        second = choose(known, lambda _: False)
        assert second.hub != first.hub
        assert all_of(second)[1:] == all_of(first)[1:]
        assert choose(known, lambda name: name == "hub") == first


def test_no_file_knows_no_address(tmp_path: Path) -> None:
    assert read(tmp_path / "dev.toml") == {}
    (tmp_path / "dev.toml").write_text("[hub")
    assert read(tmp_path / "dev.toml") == {}
    (tmp_path / "dev.toml").write_text("[hub]\nserver = 7")
    assert read(tmp_path / "dev.toml") == {}
