"""The registries that every test here asks."""

from __future__ import annotations

from tests.harness.postgres import databases
from tests.harness.registry import postgres, registry

__all__ = ["databases", "postgres", "registry"]
