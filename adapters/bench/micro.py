"""Single functions of the packet path on their own, in microseconds of CPU time."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Final

from adapters.bench import clock
from adapters.bench.load import OPTIONS, PREFIX
from adapters.simchain.blocks import Contents, make_block
from adapters.simchain.validators import Schedule
from hub.core.client import Anchor
from hub.core.commitment import commit_packet
from hub.core.ids import ChainId, ClientId, PortId
from hub.core.packet import Packet, Payload
from hub.core.time import SECOND, Timestamp
from hub.light_clients.cometbft.client import CometBftClient
from hub.light_clients.interface import Verified
from hub.wire.packet import decode_packet, encode_packet

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.bench.load import Samples

LOOPS: Final = 7
LOOP_NS: Final = 50_000_000
"""A loop's shortest time, so that the clock's own step does not count."""
_START: Final = Timestamp(1_800_000_000 * SECOND)
_VALIDATORS: Final = 100
PACKET: Final = Packet(
    sequence=5,
    source_client=ClientId("07-tendermint-3"),
    destination_client=ClientId("07-tendermint-4"),
    timeout_timestamp=1_800_000_000,
    payloads=(
        Payload(
            source_port=PortId("transfer"),
            destination_port=PortId("transfer"),
            version="ics20-1",
            encoding="application/json",
            value=bytes(200),
        ),
    ),
)


def measure(samples: Samples) -> dict[str, float]:
    """Microseconds of each by name; the proofs are *samples*."""
    client, root = CometBftClient(), samples.root
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
    assert first is not None  # noqa: S101 - two were made
    assert second is not None  # noqa: S101
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
        if not isinstance(verdict, Verified):
            raise TypeError(f"the header is {verdict}")

    return check


def _microseconds(function: Callable[[], object]) -> float:
    """Microseconds of CPU time that a call takes: the median of several loops."""
    function()
    times = 1
    while (used := _loop(function, times)) < LOOP_NS:
        times = max(times * 2, times * LOOP_NS // max(used, 1))
    return round(median([_loop(function, times) / times / 1000 for _ in range(LOOPS)]), 2)


def _loop(function: Callable[[], object], times: int) -> int:
    begin = clock.used()
    for _ in range(times):
        function()
    return clock.used() - begin
