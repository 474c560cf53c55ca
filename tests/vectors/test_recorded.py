"""What the chains recorded by this project hold, beside the verdict of each case."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub.core.codec.proto import message_field
from hub.light_clients.proofs.batch import verify_batch
from hub.light_clients.proofs.fold import fold_batch
from tests.vectors import record
from tests.vectors.json_fields import from_base64, from_hex, integer

LIVE = record.FOLDER / "cosmos_live"
CHAINS = sorted(path.name.partition(".")[0] for path in LIVE.glob("*.light_blocks.json"))
ABSENT = 1


def light_blocks(chain: str) -> list[dict[str, Any]]:
    return list(json.loads((LIVE / f"{chain}.light_blocks.json").read_bytes())["light_blocks"])


def proofs(chain: str) -> list[dict[str, Any]]:
    return list(json.loads((LIVE / f"{chain}.proofs.json").read_bytes())["proofs"])


def powers(block: dict[str, Any]) -> dict[str, int]:
    return {one["address"]: integer(one["voting_power"]) for one in block["validators"]}


def test_two_chains_are_recorded_each_without_a_gap() -> None:
    assert len(CHAINS) == 2
    for chain in CHAINS:
        heights = [integer(b["signed_header"]["header"]["height"]) for b in light_blocks(chain)]
        assert heights == list(range(heights[0], heights[0] + len(heights)))
        assert len(heights) >= 40


@pytest.mark.parametrize("chain", CHAINS)
def test_the_validator_set_of_each_changes(chain: str) -> None:
    assert (
        len({block["signed_header"]["header"]["validators_hash"] for block in light_blocks(chain)})
        > 1
    )


def test_one_changes_so_much_that_skipping_needs_headers_between() -> None:
    kept: list[float] = []
    for chain in CHAINS:
        first, last = (powers(light_blocks(chain)[at]) for at in (0, -1))
        stayed = sum(power for member, power in first.items() if member in last)
        kept.append(3 * stayed / sum(first.values()))
    assert min(kept) < 1


def test_absent_signatures_and_a_second_round_are_among_the_commits() -> None:
    commits = [b["signed_header"]["commit"] for chain in CHAINS for b in light_blocks(chain)]
    assert any(commit["round"] for commit in commits)
    assert any(
        entry["block_id_flag"] == ABSENT for commit in commits for entry in commit["signatures"]
    )


@pytest.mark.parametrize("chain", CHAINS)
def test_present_and_absent_keys_of_every_kind_are_proven(chain: str) -> None:
    shown = {(entry["what"], entry["value_base64"] is not None) for entry in proofs(chain)}
    kinds = ("packet commitment", "receipt", "acknowledgement")
    assert shown >= {(kind, is_there) for kind in kinds for is_there in (True, False)}


@pytest.mark.parametrize("chain", CHAINS)
def test_what_is_present_folds_to_one_batch_under_the_same_root(chain: str) -> None:
    present = [one for one in proofs(chain) if one["store"] == "ibc" and one["value_base64"]]
    present.sort(key=lambda one: from_hex(one["key_hex"]))
    leaves = [(from_hex(one["key_hex"]), from_base64(one["value_base64"])) for one in present]
    chained = [
        b"".join(message_field(1, from_base64(op["data"])) for op in one["proof_ops"])
        for one in present
    ]
    (at,) = {integer(one["root_in_header"]) for one in present}
    headers = [block["signed_header"]["header"] for block in light_blocks(chain)]
    (root,) = [from_hex(one["app_hash"]) for one in headers if integer(one["height"]) == at]
    batch = fold_batch((b"ibc", b""), leaves, chained)
    verify_batch(root, (b"ibc", b""), leaves, batch)
    assert len(batch) < sum(map(len, chained)) / 2
