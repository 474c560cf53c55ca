"""Ports of the loopback for processes of the tests."""

from __future__ import annotations

from hub.cli.loopback import HOST, free_port

_given: set[int] = set()


def free_ports(count: int) -> list[int]:
    """So many ports of the loopback that nobody listens at, and that were not given out here."""
    found: list[int] = []
    while len(found) < count:
        port = free_port()
        if port not in _given:
            _given.add(port)
            found.append(port)
    return found


def free_addresses(count: int) -> list[str]:
    """As ``free_ports``, with the host."""
    return [f"{HOST}:{port}" for port in free_ports(count)]
