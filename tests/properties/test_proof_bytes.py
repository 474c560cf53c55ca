"""No dead bytes: whatever is changed in a proof, it proves nothing any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.core.errors import HubError
from hub.light_clients.proofs.batch import verify_batch
from hub.light_clients.proofs.ics23 import verify_membership, verify_non_membership
from tests.harness.proof_samples import (
    KEY_PREFIX,
    MIDDLE,
    PREFIX,
    PRESENT,
    ROOT,
    STORE,
    WORLD,
    batch,
    key,
    leaves,
    value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MEMBERSHIP = WORLD.membership(STORE, KEY_PREFIX + key(MIDDLE))
NON_MEMBERSHIP = WORLD.non_membership(STORE, KEY_PREFIX + key(MIDDLE + 1))
SHOWN = PRESENT[2:9]
BATCH = batch(*SHOWN)

TARGETS: dict[str, tuple[bytes, Callable[[bytes], object]]] = {
    "membership": (
        MEMBERSHIP,
        lambda data: verify_membership(ROOT, PREFIX, key(MIDDLE), value(MIDDLE), data),
    ),
    "non-membership": (
        NON_MEMBERSHIP,
        lambda data: verify_non_membership(ROOT, PREFIX, key(MIDDLE + 1), data),
    ),
    "batch": (BATCH, lambda data: verify_batch(ROOT, PREFIX, leaves(*SHOWN), data)),
}


def _flips(data: bytes) -> Iterator[bytes]:
    for at, byte in enumerate(data):
        for mask in (1, 2, 4, 8, 16, 32, 64, 128, 255):
            yield data[:at] + bytes([byte ^ mask]) + data[at + 1 :]


def _cuts(data: bytes) -> Iterator[bytes]:
    for at in range(len(data)):
        yield data[:at]
        yield data[:at] + data[at + 1 :]
        yield data[:at] + data[at : at + 1] + data[at:]
        yield data[:at] + b"\x00" + data[at:]
        yield data + data[:at]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("change", [_flips, _cuts], ids=["flipped", "cut or stretched"])
def test_every_changed_byte_refuses_the_proof(
    target: str, change: Callable[[bytes], Iterator[bytes]]
) -> None:
    data, verify = TARGETS[target]
    verify(data)
    for changed in change(data):
        if changed == data:
            continue
        with pytest.raises(HubError):
            verify(changed)
