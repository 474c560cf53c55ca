"""Answers of a CometBFT node's RPC: blocks, commits, transactions with their proofs.

No validator set comes with them, so no signature is judged; every hash that a header or a block id
states is computed anew from what it is the hash of.

Source: CometBFT types/block.go (Header.Hash, Data.Hash, Commit.Hash, MakePartSet), types/tx.go
(TxProof.Validate), types/evidence.go (EvidenceList.Hash).
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from hub.core.codec.proto import bytes_field, message_field, varint_field
from hub.core.merkle import Proof, root, verify_proof
from hub.light_clients.cometbft.codec import (
    encode_block_id,
    encode_commit,
    encode_header,
    encode_signature,
    encode_timestamp,
)
from hub.light_clients.cometbft.header import header_hash
from tests.vectors.cases import ACCEPT, NotBuilt, Question, Unreadable, under_judgment
from tests.vectors.comet_json import read_block_id, read_commit, read_header
from tests.vectors.json_fields import from_base64, from_hex, integer, moment

if TYPE_CHECKING:
    from collections.abc import Iterator

PART_BYTES: Final = 65536
"""Source: CometBFT types/params.go, BlockPartSizeBytes."""


def questions(content: dict[str, Any]) -> Iterator[Question]:
    """The cases of one answer: each block, commit or transaction of it. Raises ``NotBuilt``."""
    result = content["result"]
    found = 0
    for at, block in enumerate(_blocks(result)):
        found += 1
        yield Question(
            case=f"block[{at}]",
            expected=ACCEPT,
            ask=lambda block=block: _judge_block(block),  # type: ignore[misc]
            also=("block", str(at)),
        )
    if "signed_header" in result:
        found += 1
        yield Question(
            case="signed_header",
            expected=ACCEPT,
            ask=lambda: _judge_commit(result["signed_header"]),
            also=("commit", "0"),
        )
    for at, transaction in enumerate(_transactions(result)):
        found += 1
        yield Question(
            case=f"txs[{at}]",
            expected=ACCEPT,
            ask=lambda transaction=transaction: _judge_transaction(transaction),  # type: ignore[misc]
            also=(str(at), f"tx {at}", str(transaction.get("hash"))),
        )
    if not found:
        raise NotBuilt("an RPC answer without block, commit or transaction")


def _blocks(result: dict[str, Any]) -> list[dict[str, Any]]:
    return list(result["blocks"]) if "blocks" in result else [result] if "block" in result else []


def _transactions(result: dict[str, Any]) -> list[dict[str, Any]]:
    return list(result["txs"]) if "txs" in result else [result] if "tx" in result else []


def _same(what: str, got: object, expected: object) -> None:
    if got != expected:
        raise Unreadable(f"{what} is {got!r}, stated {expected!r}")


def _judge_block(entry: dict[str, Any]) -> str:
    with under_judgment():
        block = entry["block"]
        header, last = read_header(block["header"]), read_commit(block["last_commit"])
        stated = read_block_id(entry["block_id"])
        transactions = [from_base64(tx) for tx in block["data"]["txs"] or ()]
        evidence = [_evidence(one) for one in (block.get("evidence") or {}).get("evidence") or ()]
    _same("block id", header_hash(header), stated.hash)
    _same("data_hash", root([sha256(tx).digest() for tx in transactions]), header.data_hash)
    _same("evidence_hash", root(evidence), header.evidence_hash)
    entries = [encode_signature(signature) for signature in last.signatures]
    _same("last_commit_hash", root(entries), header.last_commit_hash)
    _same("last_commit.block_id", last.block_id, header.last_block_id)
    _same("last_commit.height", last.height, header.height - 1)
    whole = (
        message_field(1, encode_header(header))
        + message_field(2, b"".join([message_field(1, tx) for tx in transactions]))
        + message_field(3, b"".join([message_field(1, message_field(1, e)) for e in evidence]))
        + message_field(4, encode_commit(last))
    )
    parts = [whole[at : at + PART_BYTES] for at in range(0, len(whole), PART_BYTES)]
    _same("parts", (len(parts), root(parts)), (stated.parts_total, stated.parts_hash))
    return ACCEPT


def _judge_commit(entry: dict[str, Any]) -> str:
    with under_judgment():
        header, commit = read_header(entry["header"]), read_commit(entry["commit"])
    _same("block id", header_hash(header), commit.block_id.hash)
    _same("commit height", commit.height, header.height)
    _same("signed", any(signature.signature for signature in commit.signatures), expected=True)
    return ACCEPT


def _judge_transaction(entry: dict[str, Any]) -> str:
    with under_judgment():
        content = from_base64(entry["tx"])
        _same("hash", sha256(content).digest(), from_hex(entry["hash"]))
        stated = entry.get("proof")
        if not stated:
            return ACCEPT
        _same("data", from_base64(stated["data"]), content)
        proof = Proof(
            total=integer(stated["proof"]["total"]),
            index=integer(stated["proof"]["index"]),
            leaf_hash=from_base64(stated["proof"]["leaf_hash"]),
            aunts=tuple(from_base64(aunt) for aunt in stated["proof"]["aunts"] or ()),
        )
        _same("index", proof.index, integer(entry["index"]))
        top = from_hex(stated["root_hash"])
    verify_proof(proof, sha256(content).digest(), top)
    return ACCEPT


def _evidence(entry: dict[str, Any]) -> bytes:
    """``tendermint.types.DuplicateVoteEvidence``, the one kind of evidence that is read."""
    if entry["type"] != "tendermint/DuplicateVoteEvidence":
        raise ValueError(f"evidence of kind {entry['type']!r}")
    value = entry["value"]
    return (
        message_field(1, _vote(value["vote_a"]))
        + message_field(2, _vote(value["vote_b"]))
        + varint_field(3, integer(value["TotalVotingPower"]))
        + varint_field(4, integer(value["ValidatorPower"]))
        + message_field(5, encode_timestamp(moment(value["Timestamp"])))
    )


def _vote(value: dict[str, Any]) -> bytes:
    return (
        varint_field(1, integer(value["type"]))
        + varint_field(2, integer(value["height"]))
        + varint_field(3, integer(value["round"]))
        + message_field(4, encode_block_id(read_block_id(value["block_id"])))
        + message_field(5, encode_timestamp(moment(value["timestamp"])))
        + bytes_field(6, from_hex(value["validator_address"]))
        + varint_field(7, integer(value["validator_index"]))
        + bytes_field(8, from_base64(value["signature"]))
    )
