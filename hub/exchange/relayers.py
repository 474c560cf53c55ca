"""Show the relayer processes, and take sessions from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.relayer import Relayer
    from hub.ports.caller import Caller
    from hub.ports.registry import Registry


async def all_of(registry: Registry) -> Sequence[Relayer]:
    """Every relayer that ever ran, by name."""
    return await registry.relayers.all()


async def get(registry: Registry, relayer: str) -> Relayer:
    """The relayer. Raises ``RelayerNotFound``."""
    return await registry.relayers.get(relayer)


async def drain(registry: Registry, relayer: str, cause: str, by: Caller) -> tuple[Relayer, bool]:
    """The relayer, which hands over its sessions and takes none, and whether it drained before.

    Raises ``RelayerNotFound``, ``RequestIdReused``.
    """
    already = await registry.relayers.drain(relayer, cause, by)
    return await registry.relayers.get(relayer), already


async def undrain(registry: Registry, relayer: str, cause: str, by: Caller) -> tuple[Relayer, bool]:
    """The relayer, which takes sessions, and whether it did before. Raises as ``drain``."""
    already = await registry.relayers.undrain(relayer, cause, by)
    return await registry.relayers.get(relayer), already
