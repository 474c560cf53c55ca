"""Ports of the loopback for processes of the tests."""

from __future__ import annotations

import socket
from secrets import randbelow
from typing import Final

PORTS: Final = range(10_000, 32_000)
"""Below those of outgoing connections: none takes a port before, or while, its process is down."""

_given: set[int] = set()


def free_ports(count: int) -> list[int]:
    """So many ports of the loopback that nobody listens at, and that were not given out here."""
    found: list[int] = []
    while len(found) < count:
        port = PORTS[randbelow(len(PORTS))]
        if port not in _given and _is_free(port):
            _given.add(port)
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as candidate:
        try:
            candidate.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_addresses(count: int) -> list[str]:
    """As ``free_ports``, with the host."""
    return [f"127.0.0.1:{port}" for port in free_ports(count)]
