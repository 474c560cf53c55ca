from __future__ import annotations

import socket
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest
from prometheus_client import CollectorRegistry, Gauge

from hub.wire import scrapes
from hub.wire.scrapes import MAX_SCRAPES, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_S = 10
HOST = "127.0.0.1"


@pytest.fixture
def port() -> Iterator[int]:
    collection = CollectorRegistry()
    Gauge("one", "of them", registry=collection).set(7)
    server = serve(collection, HOST, 0)
    yield server.server_port
    server.shutdown()
    server.server_close()


def scraped(port: int) -> bytes:
    with urlopen(f"http://{HOST}:{port}/metrics", timeout=PATIENCE_S) as answer:
        found: bytes = answer.read()
    return found


def test_metrics_are_answered(port: int) -> None:
    assert b"one 7.0" in scraped(port)


def test_who_says_nothing_is_hung_up_on(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrapes._Handler, "timeout", 0.05)
    with closing(socket.create_connection((HOST, port), PATIENCE_S)) as silent:
        silent.sendall(b"GET /metrics HTT")
        assert silent.recv(1) == b""
    assert b"one 7.0" in scraped(port)


def test_one_too_many_is_hung_up_on_and_the_others_are_kept(port: int) -> None:
    with ExitStack() as held:
        for _ in range(MAX_SCRAPES):
            held.enter_context(closing(socket.create_connection((HOST, port), PATIENCE_S)))
        with closing(socket.create_connection((HOST, port), PATIENCE_S)) as late:
            assert late.recv(1) == b""


def test_a_port_that_is_taken_is_an_error(port: int) -> None:
    with pytest.raises(OSError, match="in use"):
        serve(CollectorRegistry(), HOST, port)
