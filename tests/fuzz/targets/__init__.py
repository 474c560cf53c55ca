"""The kinds of untrusted input, by name; each is built once in a process."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.fuzz.engine import Target

TARGETS: Final = ("headers", "proofs", "batches", "frames")


@cache
def load(name: str) -> Target:
    """The target *name*."""
    target: Target = import_module(f"tests.fuzz.targets.{name}").target()
    return target
