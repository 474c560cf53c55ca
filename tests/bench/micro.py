"""Single functions of the packet path on their own, in microseconds of CPU time."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING, Final

from adapters.simchain.blocks import Contents, make_block
from adapters.simchain.validators import Schedule
from hub.core.client import Anchor
from hub.core.commitment import commit_packet
from hub.core.ids import ChainId
from hub.core.time import SECOND, Timestamp
from hub.light_clients.cometbft.client import CometBftClient
from hub.light_clients.interface import Verified
from hub.wire.packet import decode_packet, encode_packet
from tests.bench.load import OPTIONS, PREFIX
from tests.harness.packet_samples import PACKET

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.load import Samples

LOOPS: Final = 7
LOOP_NS: Final = 50_000_000
"""A loop's shortest time, so that the clock's own step does not count."""
_START: Final = Timestamp(1_800_000_000 * SECOND)
_VALIDATORS: Final = 100


def measure(root: bytes, samples: Samples) -> dict[str, float]:
    """Microseconds of each by name; the proofs are *samples* under *root*."""
    client = CometBftClient()
    key, value, proof = samples.member
    absent, absence = samples.absent
    content = encode_packet(PACKET)
    leaves = len(samples.leaves)
    batch_us = _microseconds(
        lambda: client.verify_batch(root, PREFIX, samples.leaves, samples.batch)
    )
    return {
        "header of 100 validators": _microseconds(_header_check(client)),
        "membership proof": _microseconds(
            lambda: client.verify_membership(root, PREFIX, key, value, proof)
        ),
        "absence proof": _microseconds(
            lambda: client.verify_non_membership(root, PREFIX, absent, absence)
        ),
        f"proof batch of {leaves}": batch_us,
        "proof batch, a leaf": batch_us / leaves,
        "decode a packet": _microseconds(lambda: decode_packet(content)),
        "commit a packet": _microseconds(lambda: commit_packet(PACKET)),
    }


def _header_check(client: CometBftClient) -> Callable[[], None]:
    """Verifies the second header of a chain from the first one, every signature."""
    chain, schedule = ChainId("wide-1"), Schedule(b"wide", _VALIDATORS, 0)
    first, second = None, None
    for number in range(2):
        time_ = Timestamp(_START + number * SECOND)
        contents = Contents(time=time_, transactions=(), app_hash=bytes(32), last_codes=())
        first, second = second, make_block(chain, schedule, second, contents)
    assert first is not None
    assert second is not None
    trusted = client.read_header(first.header)
    anchor = Anchor(
        client_type="07-tendermint",
        chain_id=chain,
        height=trusted.height,
        header_hash=trusted.header_hash,
        next_validators_hash=trusted.next_validators_hash,
        options=OPTIONS,
        prefix=PREFIX,
    )
    header, validators = second.header, schedule.at(2).content

    def check() -> None:
        now = Timestamp(_START + 2 * SECOND)
        verdict = client.verify_header(anchor, trusted, validators, header, now=now)
        assert isinstance(verdict, Verified)

    return check


def _microseconds(function: Callable[[], object]) -> float:
    """Microseconds of CPU time that a call takes: the median of several loops."""
    function()
    times = 1
    while (used := _loop(function, times)) < LOOP_NS:
        times = max(times * 2, times * LOOP_NS // max(used, 1))
    return round(median([_loop(function, times) / times / 1000 for _ in range(LOOPS)]), 2)


def _loop(function: Callable[[], object], times: int) -> int:
    begin = time.process_time_ns()
    for _ in range(times):
        function()
    return time.process_time_ns() - begin
