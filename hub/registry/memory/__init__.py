"""The registry's twin in memory."""

from __future__ import annotations

from hub.registry.memory.registry import MemoryRegistry

__all__ = ["MemoryRegistry"]
