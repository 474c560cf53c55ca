"""Which relayer processes there are, and which of them shall have no sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.relayer import Relayer
    from hub.ports.caller import Caller


class Relayers(Protocol):
    """Relayer processes by name."""

    async def begin(self, relayer: str, address: str, version: str) -> Relayer:
        """The process has begun; whether it drains stays as it was under that name."""
        ...

    async def beat(self, relayer: str) -> Relayer:
        """The process still runs. Raises ``RelayerNotFound``."""
        ...

    async def end(self, relayer: str) -> None:
        """The process has ended in order: it is not alive any more."""
        ...

    async def all(self) -> Sequence[Relayer]:
        """Every relayer that ever began, by name."""
        ...

    async def get(self, relayer: str) -> Relayer:
        """The relayer. Raises ``RelayerNotFound``."""
        ...

    async def drain(self, relayer: str, cause: str, by: Caller) -> bool:
        """The relayer drains; whether it did before.

        Raises ``RelayerNotFound``, ``RequestIdReused``.
        """
        ...

    async def undrain(self, relayer: str, cause: str, by: Caller) -> bool:
        """The relayer takes sessions; whether it did before. Raises as ``drain``."""
        ...
