"""``python -m tests.chains.cosmos.record``: writes ``tests/vectors/own/cosmos_live`` from a run.

Two live chains exchange packets; the validator set of one changes by more than a third, and one of
its nodes is away for some blocks. Light blocks, proofs and packets are kept as the nodes tell them.
What they prove is stated by what was asked, never by a verifier: a key with a value is included.
Keys are made for the run and not kept.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from hub.cli.dev.layout import RELAYER
from hub.core.height import Height
from hub.core.paths import (
    acknowledgement_key,
    client_state_key,
    commitment_key,
    consensus_state_key,
    counterparty_key,
    next_sequence_send_key,
    receipt_key,
)
from hub.core.time import SECOND
from tests.chains.cosmos import ledger
from tests.chains.cosmos.build import SOURCE
from tests.chains.cosmos.cities import EAST, WEST, Cities, running
from tests.chains.cosmos.city import TOKEN
from tests.chains.cosmos.options import ChainOptions
from tests.chains.cosmos.staking import set_powers
from tests.vectors.record import FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hub.core.ids import ClientId
    from hub.core.lane import LaneKey
    from tests.chains.cosmos.network import CosmosNetwork

LIVE: Final = FOLDER / "cosmos_live"
BEFORE: Final = (100, 100, 10, 10)
CHANGED: Final[Mapping[str, tuple[int, ...]]] = {WEST: (0, 0, 10, 30), EAST: (100, 100, 40, 10)}
"""On one chain the members of the old set keep less than a third of its power."""
AWAY: Final = 2
"""The node that is away for some blocks; the others have more than two thirds."""
AWAY_BLOCKS: Final = 5
ENDED: Final = 3
STANDING: Final = 2
BLOCKS: Final = 40
NEVER_SENT: Final = (1_000, 2**40)
MODULES: Final = ("cosmos/ibc-go/v10", "cosmos/cosmos-sdk", "cometbft/cometbft")


def main() -> None:
    """Every file is written anew."""
    files = asyncio.run(record())
    LIVE.mkdir(exist_ok=True)
    for name, content in files.items():
        text = json.dumps(content, separators=(",", ":")) + "\n"
        (LIVE / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{name}: {len(text)} bytes\n")


async def record() -> dict[str, dict[str, Any]]:
    """The content of every file, by name."""
    options = ChainOptions(powers=BEFORE)
    async with running({WEST: options, EAST: options}) as cities:
        lane = await cities.open_lane()
        first = {peer: await city.chain.height() for peer, city in cities.cities.items()}
        await _live(cities, lane)
        files: dict[str, dict[str, Any]] = {}
        for key in (lane, lane.reverse):
            peer = str(key.source_peer)
            chain = cities.cities[peer].chain
            last = await chain.wait_height(first[peer] + BLOCKS) - 1
            about = {"chain_id": chain.chain_id, "origin": _origin(chain)}
            blocks = [await _light_block(chain, at) for at in range(last - BLOCKS + 1, last + 1)]
            files[f"{chain.chain_id}.light_blocks.json"] = about | {"light_blocks": blocks}
            files[f"{chain.chain_id}.proofs.json"] = about | {
                "client": key.source_client,
                "packets": await _packets(chain, range(first[peer], last + 1)),
                "proofs": [
                    await _proof(chain, last - 1, what, store, content)
                    for what, store, content in await _wanted(cities, key)
                ],
            }
    return files


async def _live(cities: Cities, lane: LaneKey) -> None:
    """What is recorded has happened."""
    await cities.transfer(lane, ENDED)
    await cities.transfer(lane.reverse, ENDED)
    await cities.ended(2 * ENDED)
    await asyncio.gather(
        *[set_powers(cities.cities[peer].chain, powers) for peer, powers in CHANGED.items()]
    )
    west = cities.cities[WEST].chain
    west.kill(AWAY)
    await west.wait_height(await west.height() + AWAY_BLOCKS)
    west.restart(AWAY)
    await west.wait_ready(await west.height())
    await cities.stop(RELAYER)
    await cities.transfer(lane, STANDING)
    await cities.transfer(lane.reverse, STANDING)


async def _light_block(chain: CosmosNetwork, height: int) -> dict[str, Any]:
    commit = await chain.call("commit", {"height": str(height)})
    set_ = await chain.call("validators", {"height": str(height), "per_page": "100"})
    return {"signed_header": commit["signed_header"], "validators": set_["validators"]}


async def _packets(chain: CosmosNetwork, heights: range) -> list[dict[str, Any]]:
    """Every packet that was sent at *heights*, as its event tells of it."""
    found: list[dict[str, Any]] = []
    for height in heights:
        results = await chain.call("block_results", {"height": str(height)})
        for result in results["txs_results"] or ():
            for event in result["events"]:
                if event["type"] == "send_packet":
                    told = {one["key"]: one["value"] for one in event["attributes"]}
                    found.append({"chain": chain.chain_id, "height": height, "attributes": told})
    return found


async def _wanted(cities: Cities, key: LaneKey) -> list[tuple[tuple[str, int], str, bytes]]:
    """What is asked of the source's chain: its kind and sequence, its store, its key."""
    client = key.source_client
    chain = cities.cities[str(key.source_peer)].chain
    trusted = Height(1, max(await ledger.consensus_heights(chain, client)))
    return [
        *_of_packets(client),
        (("client state", 0), "ibc", client_state_key(client)),
        (("consensus state", 0), "ibc", consensus_state_key(client, trusted)),
        (("counterparty", 0), "ibc", counterparty_key(client)),
        (("next sequence", 0), "ibc", next_sequence_send_key(client)),
        (("key", 0), "ibc", b"\x00"),
        (("key", 0), "ibc", b"\xff" * 8),
        (("key of another store", 0), "bank", b"\x00" + TOKEN.encode()),
    ]


def _of_packets(client: ClientId) -> Iterator[tuple[tuple[str, int], str, bytes]]:
    """Packets of *client* that ended, stand, and were never sent; what it received, and did not."""
    for sequence in (*range(1, ENDED + STANDING + 1), *NEVER_SENT):
        yield ("packet commitment", sequence), "ibc", commitment_key(client, sequence)
        yield ("receipt", sequence), "ibc", receipt_key(client, sequence)
        yield ("acknowledgement", sequence), "ibc", acknowledgement_key(client, sequence)


async def _proof(
    chain: CosmosNetwork, state: int, what: tuple[str, int], store: str, key: bytes
) -> dict[str, Any]:
    params = {"path": f"store/{store}/key", "data": key.hex(), "height": str(state), "prove": True}
    told = (await chain.call("abci_query", params))["response"]
    assert not told["code"], told["log"]
    kind, sequence = what
    return {
        "what": kind,
        **({"sequence": sequence} if sequence else {}),
        "store": store,
        "key_hex": key.hex(),
        "query_height": state,
        "value_base64": told["value"],
        "proof_ops": told["proofOps"]["ops"],
        "root_in_header": state + 1,
    }


def _origin(chain: CosmosNetwork) -> str:
    """Who recorded what, when, and on which software."""
    named = (SOURCE / "go.mod").read_text(encoding="utf-8")
    versions = [re.search(rf"github\.com/{module} v\S+", named) for module in MODULES]
    software = ", ".join([found[0].removeprefix("github.com/") for found in versions if found])
    at = datetime.fromtimestamp(chain.now() // SECOND, UTC)
    return (
        f"recorded by python -m tests.chains.cosmos.record at {at:%Y-%m-%dT%H:%M:%SZ} from chains "
        f"of this project's own tests ({software})"
    )


if __name__ == "__main__":
    main()
