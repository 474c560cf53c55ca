from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.harness.examined import caught

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ydhub.relay.v1 import relay_pb2 as pb


def changed(change: Callable[[pb.ProofAnswer], None]) -> object:
    """Answers with proofs, changed."""

    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        if frame.answer.HasField("proofs"):
            change(frame.answer.proofs)
        return (frame,)

    return says


def swap(shown: pb.ProofAnswer) -> None:
    shown.values[0], shown.values[1] = shown.values[1], shown.values[0]


def turn(shown: pb.ProofAnswer) -> None:
    proof = shown.proofs[0]
    shown.proofs[0] = proof[:-1] + bytes([proof[-1] ^ 1])


def hide(shown: pb.ProofAnswer) -> None:
    for at in range(len(shown.values)):
        shown.values[at] = b""


def drop(shown: pb.ProofAnswer) -> None:
    del shown.proofs[-1]


def another_height(shown: pb.ProofAnswer) -> None:
    shown.height.number -= 1


@pytest.mark.parametrize("change", [swap, turn, hide, drop, another_height])
async def test_proofs_that_do_not_show_it_are_caught(
    tmp_path: Path, change: Callable[[pb.ProofAnswer], None]
) -> None:
    await caught(tmp_path, "proofs", says=changed(change))


async def test_a_newest_proof_without_its_header_is_caught(tmp_path: Path) -> None:
    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        if frame.answer.HasField("proofs"):
            frame.answer.proofs.height.number += 5
        return (frame,)

    assert "HEADER_NOT_FOUND" in (await caught(tmp_path, "newest_proofs", says=says)).came


@pytest.mark.parametrize("change", [swap, turn, drop])
async def test_a_proof_batch_that_does_not_show_it_is_caught(
    tmp_path: Path, change: Callable[[pb.ProofAnswer], None]
) -> None:
    await caught(tmp_path, "proof_batches", says=changed(change))


@pytest.mark.parametrize("item", ["proof_batches", "bad_proof_requests"])
async def test_an_answer_where_there_is_none_is_caught(tmp_path: Path, item: str) -> None:
    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        if frame.answer.HasField("refusal"):
            frame.answer.proofs.SetInParent()
        return (frame,)

    assert "proofs" in (await caught(tmp_path, item, says=says)).came
