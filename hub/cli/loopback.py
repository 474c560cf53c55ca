"""Ports of the loopback for processes that are started here."""

from __future__ import annotations

import socket
from secrets import randbelow
from typing import Final

HOST: Final = "127.0.0.1"
PORTS: Final = range(10_000, 32_000)
"""Below those of outgoing connections: none takes a port before, or while, its process is down."""
_TRIES: Final = 1000


def bound(port: int = 0) -> socket.socket:
    """A socket that holds *port*, or a free one, until it is closed; a listener may follow at once.

    Raises ``OSError`` where *port* is taken, or no port is free.
    """
    ports = [port] if port else (PORTS[randbelow(len(PORTS))] for _ in range(_TRIES))
    for one in ports:
        held = socket.socket()
        # A connection that was closed a moment ago does not keep a port from its listener.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            held.bind((HOST, one))
        except OSError:
            held.close()
            continue
        return held
    raise OSError(f"port {port} on {HOST} is taken" if port else f"no free port on {HOST}")


def free_port() -> int:
    """A port that nobody listens at now."""
    with bound() as held:
        return int(held.getsockname()[1])
