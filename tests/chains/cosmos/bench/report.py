"""The run for people: how fast, what bounds it, what it cost, beside the yardstick."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from tests.chains.cosmos.cities import EAST, WEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.chains.cosmos.bench.blocks import BlockLoad
    from tests.chains.cosmos.bench.run import Outcome

REQUIRED_PER_SECOND: Final = 250
REQUIRED_CPU_MS: Final = 2
HERMES: Final = "Hermes 1.10.5 (IBC v1, two cores): 52 completed/s, 8.5 ms of CPU a packet"
MILLI: Final = 1000


def figures(outcome: Outcome) -> dict[str, float]:
    """What is compared from run to run."""
    receives = [block for block in outcome.there if block.received]
    answers = [block for block in outcome.back if block.acknowledged]
    took = (outcome.ended_ms - outcome.began_ms) / MILLI
    relaying = outcome.cpu_s["relayer"] + sum(
        outcome.cpu_s[f"adapter {peer}"] for peer in (WEST, EAST)
    )
    return {
        "completed_per_s": round(outcome.packets / took, 1),
        "received_per_s": _rate(receives, [block.received for block in receives]),
        "acknowledged_per_s": _rate(answers, [block.acknowledged for block in answers]),
        "seconds_to_the_last_acknowledgement": round(took, 2),
        "seconds_to_the_first_receive": round((receives[0].time_ms - outcome.began_ms) / MILLI, 2),
        "most_received_in_a_block": max(block.received for block in receives),
        "messages_a_transaction": round(
            outcome.packets / sum(block.transactions for block in receives), 1
        ),
        "bytes_a_transaction": round(
            sum(block.size for block in receives) / sum(block.transactions for block in receives)
        ),
        "gas_a_packet": round(sum(block.gas for block in receives) / outcome.packets),
        "failed_transactions": sum(block.failed for block in (*outcome.there, *outcome.back)),
        "cpu_ms_a_packet_relaying": round(relaying * MILLI / outcome.packets, 3),
        "samples_under_a_block_of_backlog": round(_under(outcome), 3),
    }


def text(outcome: Outcome) -> str:
    """The report."""
    found = figures(outcome)
    lines = [
        f"made at   {outcome.made_at}; {outcome.machine}",
        f"load      {outcome.packets} packets committed on one chain before the adapters started",
        f"yardstick {HERMES}",
        "",
        *[f"{name.replace('_', ' '):40} {value:>12}" for name, value in found.items()],
        "",
        "CPU ms a packet",
        *[
            f"  {name:38} {used * MILLI / outcome.packets:>12.3f}"
            for name, used in sorted(outcome.cpu_s.items())
        ],
        "",
        "blocks that received, on the destination (interval, packets, transactions, bytes)",
        *_blocks(outcome.there, "received"),
        "blocks that acknowledged, on the source",
        *_blocks(outcome.back, "acknowledged"),
    ]
    return "\n".join(lines)


def _rate(blocks: Sequence[BlockLoad], counts: Sequence[int]) -> float:
    """A second, over the blocks from the first to the last and one interval more."""
    if len(blocks) == 1:
        return float(counts[0])
    span = blocks[-1].time_ms - blocks[0].time_ms
    span += span // (len(blocks) - 1)
    return round(sum(counts) * MILLI / span, 1)


def _blocks(blocks: Sequence[BlockLoad], what: str) -> list[str]:
    lines = []
    for before, block in itertools.pairwise(blocks):
        count = getattr(block, what)
        if count:
            interval = block.time_ms - before.time_ms
            lines.append(
                f"  {block.height:>6} {interval:>6} ms {count:>6} {block.transactions:>4} "
                f"{block.size:>10}"
            )
    return lines


def _under(outcome: Outcome) -> float:
    """The share of samples at which less than one block's worth waited in the relayer.

    What waits there was accepted by the hub and is in no block yet, nor in the mempool.
    """
    worth = max(block.received for block in outcome.there)
    received = sum(block.received for block in outcome.there)
    sent = sum(block.transactions for block in outcome.there if block.received)
    a_transaction = received / sent
    under = total = 0
    for sample in outcome.samples:
        done = sum(block.received for block in outcome.there if block.time_ms <= sample.at_ms)
        if done >= outcome.packets:
            break
        backlog = sample.accepted - done - sample.in_mempool * a_transaction
        total += 1
        under += backlog < worth
    return under / total if total else 1.0
