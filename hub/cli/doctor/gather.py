"""Ask the hub, its database and the certificates; note what does not answer.

Nothing here fails: a doctor that ends where something is away is of no use.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.json_format import Parse, ParseError
from ydhub.client.v1 import client_service_pb2
from ydhub.hub.v1 import status_service_pb2
from ydhub.peer.v1 import peer_service_pb2

from hub.cli.connection import connect
from hub.cli.doctor.findings import Examined
from hub.core.errors import HubError
from hub.core.time import SECOND, Timestamp
from hub.wire.status import RemoteError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hub.cli.connection import Connection
    from hub.cli.settings import Settings

URL_VARIABLE: Final = "YDHUB_DATABASE_URL"
_HANDSHAKE_S: Final = 5
_REPORT_S: Final = 280
_INVARIANTS_S: Final = 270
"""The hub asks them for four minutes at most, and refuses who would wait for more than five."""


class Gathering:
    """What was asked so far."""

    def __init__(self, settings: Settings | None, clock: Callable[[], Timestamp]) -> None:
        """Nothing is asked yet; *settings* are None where nobody knows the hub."""
        self._settings = settings
        self._clock = clock
        self._errors: dict[str, str] = {}
        self._found: dict[str, Any] = {"certificates": {}}

    async def ask_hub(self, *, invariants: bool, between_s: float) -> None:
        """Everything that the hub knows; lanes twice, *between_s* seconds apart."""
        settings = self._settings
        if settings is None:
            self._found["hub_error"] = "nobody said where it is; see --server"
            return
        self._found["server"] = settings.server
        try:
            async with connect(settings) as hub:
                await self._ask(hub, invariants=invariants, between_s=between_s)
        except HubError as error:
            self._found["hub_error"] = str(error)

    async def ask_database(self, url: str, *, invariants: bool) -> None:
        """The database at *url*, by ``ydhub-server report`` on this machine."""
        command = ["-m", "hub.server", "report", *(["--invariants"] if invariants else [])]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, URL_VARIABLE: url},
        )
        try:
            out, error = await asyncio.wait_for(process.communicate(), _REPORT_S)
            if process.returncode:
                self._errors["database"] = error.decode(errors="replace").strip()[-300:]
                return
            report = status_service_pb2.GetDatabaseResponse()
            Parse(out.decode(), report, ignore_unknown_fields=True)
        except (TimeoutError, ParseError) as error:
            process.kill()
            self._errors["database"] = f"ydhub-server report: {type(error).__name__}"
            return
        self._found |= {
            "database": report,
            "database_is_direct": True,
            "invariants_asked": invariants,
        }

    async def read_certificates(self) -> None:
        """When your own, the CA's and the hub's certificate end."""
        settings = self._settings
        if settings is None:
            return
        for whose, file in (("own", settings.cert_file), ("ca", settings.ca_file)):
            try:
                content = await asyncio.to_thread(Path(file).read_bytes)
                self._note_certificate(whose, content)
            except (OSError, ValueError) as error:
                self._errors[f"{whose}'s certificate"] = f"{file}: {_shown(error)}"
        try:
            content = await asyncio.to_thread(_shown_by, settings)
            self._note_certificate("hub", content)
        except (OSError, ValueError) as error:
            self._errors["hub's certificate"] = f"{settings.server}: {_shown(error)}"

    def examined(self) -> Examined:
        """All of it."""
        return Examined(
            now=self._clock(), version=version("ydhub"), errors=self._errors, **self._found
        )

    async def _ask(self, hub: Connection, *, invariants: bool, between_s: float) -> None:
        activity = status_service_pb2.GetActivityRequest()
        await self._note("earlier", hub.call(hub.status.GetActivity, activity))
        if "hub_error" in self._found:
            return
        before = self._clock()
        request = status_service_pb2.GetDatabaseRequest()
        await self._note("database", hub.call(hub.status.GetDatabase, request))
        self._found["asked_at"] = Timestamp((before + self._clock()) // 2)
        self._found["hub_report"] = self._found.get("database")
        if invariants and "database" in self._found:
            request.ask_invariants = True
            asked = hub.call(hub.status.GetDatabase, request, timeout_s=_INVARIANTS_S)
            await self._note("database", asked)
            self._found["invariants_asked"] = "invariants" not in self._errors
        await self._note("clients", _all(hub, "clients"))
        await self._note("peers", _all(hub, "peers"))
        await asyncio.sleep(between_s)
        await self._note("activity", hub.call(hub.status.GetActivity, activity))

    async def _note(self, what: str, asked: Awaitable[Any]) -> None:
        try:
            self._found[what] = await asked
        except RemoteError as error:
            if error.reason is None and error.is_retryable:
                self._found["hub_error"] = f"{error.code}: {error.message}"
            else:
                name = "lanes" if what in {"activity", "earlier"} else what
                name = "invariants" if name in self._found else name
                self._errors[name] = f"{error.reason or error.code}"

    def _note_certificate(self, whose: str, content: bytes) -> None:
        from cryptography import x509  # noqa: PLC0415 - slow to load, and needed here alone

        is_text = content.startswith(b"-----")
        load = x509.load_pem_x509_certificate if is_text else x509.load_der_x509_certificate
        ends_at = load(content).not_valid_after_utc
        self._found["certificates"][whose] = Timestamp(int(ends_at.timestamp()) * SECOND)


def machine_clock() -> Timestamp:
    """The machine's wall clock (ns)."""
    return Timestamp(time.time_ns())  # noqa: TID251 - the doctor compares clocks


async def _all(hub: Connection, what: str) -> list[Any]:
    if what == "clients":
        request = client_service_pb2.ListClientsRequest()
        pages = [page async for page in hub.all(hub.clients.ListClients, request)]
        return [client for page in pages for client in page.clients]
    peers = peer_service_pb2.ListPeersRequest()
    listed = [page async for page in hub.all(hub.peers.ListPeers, peers)]
    return [peer for page in listed for peer in page.peers]


def _shown_by(settings: Settings) -> bytes:
    """The certificate that the hub shows, DER."""
    context = ssl.create_default_context(cafile=str(settings.ca_file))
    context.load_cert_chain(settings.cert_file, settings.key_file)
    context.set_alpn_protocols(["h2"])
    # It names a SPIFFE identity, and no host.
    context.check_hostname = False
    host, _, port = settings.server.rpartition(":")
    with (
        socket.create_connection((host.strip("[]"), int(port)), timeout=_HANDSHAKE_S) as plain,
        context.wrap_socket(plain) as wrapped,
    ):
        return wrapped.getpeercert(binary_form=True) or b""


def _shown(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
