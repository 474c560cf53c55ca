"""Validator sets are stored once, by the hash that headers name them by."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from hub.light_clients.router import light_client

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hub.core.client import VerifiedHeader

_SETS: Final = 512
"""Whose hashes are remembered; one of 100 validators has about 5 kB."""


def set_digest(client_type: str, validators: bytes) -> bytes:
    """The hash of the set, by the rules of its family. Raises as ``hash_validators``."""
    return _digest(client_type, validators)


def sets_of(client_type: str, headers: Iterable[VerifiedHeader]) -> dict[bytes, bytes]:
    """The sets that signed *headers*, by hash."""
    sets = {header.header.validators for header in headers}
    return {set_digest(client_type, validators): validators for validators in sets}


@lru_cache(maxsize=_SETS)
def _digest(client_type: str, validators: bytes) -> bytes:
    return light_client(client_type).hash_validators(validators)
