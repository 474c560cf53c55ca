"""A listener for scrapes of metrics: few at once, and none that says nothing for long.

The client library's own gives each connection a thread, and waits for ever for its request.
"""

from __future__ import annotations

from socketserver import ThreadingMixIn
from threading import BoundedSemaphore, Thread
from typing import TYPE_CHECKING, Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

MAX_SCRAPES: Final = 16
"""Connections at once; one more is closed at once."""
SILENCE_S: Final = 5


class _Handler(WSGIRequestHandler):
    timeout = SILENCE_S

    def log_message(self, *_: object) -> None:
        """Scrapes are nobody's business."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._free = BoundedSemaphore(MAX_SCRAPES)
        super().__init__(*arguments, **named)

    def process_request(self, request: Any, client_address: Any) -> None:
        """A thread answers, if there is one."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """In its thread, which is free again afterwards."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who goes in the middle of it is nobody's fault."""


def serve(collection: CollectorRegistry, host: str, port: int) -> WSGIServer:
    """The server of *collection*, which answers from now on. Raises ``OSError``."""
    server = make_server(host, port, make_wsgi_app(collection), _Server, _Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    return server
