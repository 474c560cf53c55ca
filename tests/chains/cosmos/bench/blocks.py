"""What blocks held, read from a chain after the run, so that reading costs the run nothing."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from adapters.cosmos.rpc.light_block import read_time
from hub.core.time import MILLISECOND

if TYPE_CHECKING:
    from tests.chains.cosmos.network import CosmosNetwork


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockLoad:
    """One block's packets and what they cost."""

    height: int
    time_ms: int
    """The header's time: of the votes for the block before it."""
    sent: int
    received: int
    acknowledged: int
    timed_out: int
    transactions: int
    """That succeeded, with packets of others."""
    failed: int
    """Transactions."""
    size: int
    """Bytes of all transactions."""
    gas: int


async def read_blocks(chain: CosmosNetwork, first: int, last: int) -> list[BlockLoad]:
    """The blocks from *first* to *last*."""
    return [await _read(chain, height) for height in range(first, last + 1)]


async def _read(chain: CosmosNetwork, height: int) -> BlockLoad:
    block = (await chain.call("block", {"height": str(height)}))["block"]
    results = (await chain.call("block_results", {"height": str(height)}))["txs_results"] or []
    good = [one for one in results if not one.get("code")]
    kinds = [_kinds(one) for one in good]
    return BlockLoad(
        height=height,
        time_ms=read_time(block["header"]["time"], "block time") // MILLISECOND,
        sent=sum(kind.count("send_packet") for kind in kinds),
        received=sum(kind.count("recv_packet") for kind in kinds),
        acknowledged=sum(kind.count("acknowledge_packet") for kind in kinds),
        timed_out=sum(kind.count("timeout_packet") for kind in kinds),
        transactions=sum("recv_packet" in k or "acknowledge_packet" in k for k in kinds),
        failed=len(results) - len(good),
        size=sum(len(b64decode(one)) for one in block["data"]["txs"] or []),
        gas=sum(int(one["gas_used"]) for one in results),
    )


def _kinds(result: dict[str, Any]) -> list[str]:
    return [event["type"] for event in result["events"]]
