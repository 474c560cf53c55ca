"""The server that migrations run on."""

from __future__ import annotations

from tests.harness.postgres import databases

__all__ = ["databases"]
