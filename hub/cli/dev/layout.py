"""Where everything of a development network lies, and what it is called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hub.cli.settings import DEV_FILE
from hub.core.ids import PeerId
from hub.wire.identity.spiffe import SpiffeId, peer_identity

if TYPE_CHECKING:
    from pathlib import Path

TRUST_DOMAIN: Final = "ydhub.local"
CHAINS: Final = tuple(map(PeerId, ("hangzhou", "suzhou", "shanghai")))
DISPLAY_NAMES: Final = {"hangzhou": "杭州", "suzhou": "苏州", "shanghai": "上海"}
HUB, RELAYER, POSTGRES = "hub", "relayer", "postgres"
RELAYER_NAME: Final = "dev-1"
ADAPTERS: Final = {peer: f"{peer}-adapter" for peer in CHAINS}
"""The adapter's process by peer, where it is not the chain's."""
PROCESSES: Final = (HUB, RELAYER, *CHAINS)
"""In the order in which they start; they stop in the other."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The directory of a development network."""

    directory: Path
    """Absolute."""

    @property
    def dev_file(self) -> Path:
        """Where it listens, and the certificate of its administrator."""
        return self.directory / DEV_FILE

    @property
    def ca(self) -> Path:
        """The certificate authority's own directory."""
        return self.directory / "ca"

    @property
    def certs(self) -> Path:
        """Certificates and keys."""
        return self.directory / "certs"

    @property
    def postgres(self) -> Path:
        """The embedded PostgreSQL."""
        return self.directory / "pg"

    def certificate(self, name: str) -> tuple[Path, Path, Path]:
        """Certificate, key and CA file of the leaf *name*."""
        return self.certs / f"{name}.crt", self.certs / f"{name}.key", self.ca / "ca.crt"

    def config(self, process: str) -> Path:
        """What the process is told at its start."""
        return self.directory / "config" / f"{process}.toml"

    def log(self, process: str) -> Path:
        """What the process says, in lines of JSON."""
        if process == POSTGRES:
            return self.postgres / "data" / "server.log"
        return self.directory / "logs" / f"{process}.log"

    def pid(self, process: str) -> Path:
        """Which process it is."""
        return self.directory / "run" / f"{process}.pid"

    def anchor(self, operator: str, peer: str) -> Path:
        """The operator's own anchor file of a peer's chain; the hub's is one of them."""
        return self.directory / "anchors" / operator / f"{peer}.yaml"

    def chain(self, peer: str) -> Path:
        """The chain's block log, and its adapter's log of accepted answers."""
        return self.directory / "chains" / peer

    def adapter(self, peer: str) -> Path:
        """The same of an adapter that is a process of its own."""
        return self.directory / "adapters" / peer


def leaves() -> dict[str, tuple[SpiffeId, bool]]:
    """By the name of its file: an identity, and whether it serves."""
    return {
        HUB: (SpiffeId(TRUST_DOMAIN, "/hub"), True),
        RELAYER: (SpiffeId(TRUST_DOMAIN, f"/relayers/{RELAYER_NAME}"), True),
        "admin": (SpiffeId(TRUST_DOMAIN, "/admins/dev"), False),
        **{f"peer-{peer}": (peer_identity(TRUST_DOMAIN, peer), True) for peer in CHAINS},
    }
