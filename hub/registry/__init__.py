"""The exchange registry: in Postgres, and its twin in memory, behind the same ports."""

from __future__ import annotations
