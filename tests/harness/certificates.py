"""Certificates of a development authority, for servers and callers in tests."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.cli.dev.ca import Authority, issue, make_authority
from hub.core.time import Timestamp
from hub.wire.identity.credentials import channel_credentials, server_credentials
from hub.wire.identity.spiffe import SpiffeId

if TYPE_CHECKING:
    from pathlib import Path

    import grpc

TRUST_DOMAIN = "ydhub.local"


def real_now() -> Timestamp:
    """The wall clock, which certificates are judged by."""
    return Timestamp(time.time_ns())


@dataclass(frozen=True, slots=True)
class Certificates:
    """An authority and what it issues, in one directory."""

    directory: Path
    authority: Authority

    @classmethod
    def make(cls, directory: Path) -> Certificates:
        from cryptography.hazmat.primitives.serialization import Encoding

        authority = make_authority(now=real_now())
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "ca.crt").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
        return cls(directory, authority)

    def files(
        self, path: str, *, serves: bool = False, trust_domain: str = TRUST_DOMAIN
    ) -> tuple[Path, Path, Path]:
        """Certificate, key and CA file of the identity at *path*, as ``/peers/hangzhou``."""
        name = path.strip("/").replace("/", "-") + ("" if trust_domain == TRUST_DOMAIN else "-x")
        certificate, key = self.directory / f"{name}.crt", self.directory / f"{name}.key"
        if not certificate.exists():
            identity = SpiffeId(trust_domain, path)
            issue(self.authority, identity, self.directory, name, serves=serves, now=real_now())
        return certificate, key, self.directory / "ca.crt"

    def server(self, path: str = "/hub") -> grpc.ServerCredentials:
        return server_credentials(*self.files(path, serves=True))

    def channel(self, path: str, *, trust_domain: str = TRUST_DOMAIN) -> grpc.ChannelCredentials:
        return channel_credentials(*self.files(path, trust_domain=trust_domain))
