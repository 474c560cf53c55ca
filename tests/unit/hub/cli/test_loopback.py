from __future__ import annotations

import socket
from pathlib import Path

import pytest

from hub.cli import loopback
from hub.cli.loopback import HOST, PORTS, bound, free_port

OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_no_outgoing_connection_takes_a_port_while_its_process_is_down() -> None:
    first = int(OUTGOING.read_text(encoding="ascii").split()[0])
    assert PORTS.stop <= first
    assert all(free_port() in PORTS for _ in range(100))


def test_a_port_is_held_until_it_is_let_go() -> None:
    with bound() as held:
        port = held.getsockname()[1]
        held.listen()
        with pytest.raises(OSError, match=f"port {port} on {HOST} is taken"):
            bound(port)
    with bound(port) as again:
        assert again.getsockname()[1] == port


def test_what_others_listen_at_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as stranger:
        stranger.bind((HOST, free_port()))
        stranger.listen()
        taken = stranger.getsockname()[1]
        free = free_port()
        monkeypatch.setattr(loopback, "PORTS", range(taken, taken + 1))
        with pytest.raises(OSError, match="no free port"):
            free_port()
        draws = iter([0, 0, 1])
        monkeypatch.setattr(loopback, "PORTS", [taken, free])
        monkeypatch.setattr(loopback, "randbelow", lambda _: next(draws))
        assert free_port() == free
