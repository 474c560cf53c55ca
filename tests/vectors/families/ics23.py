"""Family ``ics23``: proofs of upstream by kind of tree, its unit cases, and chained IBC proofs.

The kind of tree is told by the folder, else by the file's name.

Source: cosmos/ics23 testdata; cosmos/solidity-ibc-eureka fixtures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hub.core.errors import RootMismatch
from hub.core.height import Height
from hub.light_clients.proofs.codec import decode_commitment_proof
from hub.light_clients.proofs.ics23 import (
    calculate_root,
    existence_root,
    non_existence_root,
    verify_membership,
    verify_non_membership,
)
from hub.light_clients.proofs.ops import digest, inner_hash, leaf_hash
from hub.light_clients.proofs.spec import PINNED, ExistenceProof, InnerOp, LeafOp, ProofSpec
from tests.vectors.cases import (
    ACCEPT,
    EXCLUDED,
    INCLUDED,
    INVALID,
    REJECT,
    Question,
    Unreadable,
    under_judgment,
)
from tests.vectors.families.tendermint_ibc import read_client_state, read_consensus_state
from tests.vectors.json_fields import from_base64, from_hex, integer, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_PATH_LENGTH: Final = 2


def questions(content: dict[str, Any], path: Path) -> Iterator[Question]:
    """The cases of one file."""
    if "membership_msg" in content:
        return _chained(content)
    if "proof" in content:
        return _single(content, _spec(path), path)
    return _units(content)


def _single(content: dict[str, Any], spec: ProofSpec, path: Path) -> Iterator[Question]:
    yield Question(
        case=path.stem,
        expected=EXCLUDED if not content.get("value") else INCLUDED,
        ask=lambda: _judge_single(content, spec),
        refusal=INVALID,
        also=("0",),
    )


def _judge_single(content: dict[str, Any], spec: ProofSpec) -> str:
    with under_judgment():
        key, value = from_hex(content["key"]), from_hex(content.get("value"))
        root = from_hex(content["root"])
        proof = decode_commitment_proof(from_hex(content["proof"]))
    computed = (
        existence_root(spec, proof, key, value) if value else non_existence_root(spec, proof, key)
    )
    if computed != root:
        raise RootMismatch(got=computed.hex(), expected=root.hex())
    return INCLUDED if value else EXCLUDED


def _spec(path: Path) -> ProofSpec:
    by_name = {spec.name: spec for spec in PINNED}
    for part in reversed(path.parts[:-1]):
        if part in by_name:
            return by_name[part]
    for name, spec in by_name.items():
        if name in path.name:
            return spec
    raise ValueError("neither folder nor name tells the kind of tree")


def _chained(content: dict[str, Any]) -> Iterator[Question]:
    message = content["membership_msg"]
    yield Question(
        case="membership_msg",
        expected=INCLUDED if message.get("value") else EXCLUDED,
        ask=lambda: _judge_chained(content, message),
        refusal=INVALID,
        also=("0",),
    )


def _judge_chained(content: dict[str, Any], message: dict[str, Any]) -> str:
    with under_judgment():
        path = [text(part).encode() for part in message["path"]]
        if len(path) != _PATH_LENGTH:
            raise Unreadable(f"the path has {len(path)} elements")
        value, proof = from_hex(message.get("value")), from_hex(message["proof"])
        height = Height(0, integer(message["height"]))
        consensus = from_hex(content["consensus_state_hex"])
        client = from_hex(content["client_state_hex"])
    state = read_consensus_state(consensus, height)
    if read_client_state(client).is_frozen:
        raise Unreadable("the client is frozen")
    prefix = (path[0], b"")
    if value:
        verify_membership(state.root, prefix, path[1], value, proof)
        return INCLUDED
    verify_non_membership(state.root, prefix, path[1], proof)
    return EXCLUDED


# Unit cases: an operation, and the digest that it gives or that it must not give ------------------


def _units(content: dict[str, Any]) -> Iterator[Question]:
    for name, case in content.items():
        judge = _unit(case)
        yield Question(
            case=name,
            expected=REJECT if case.get("IsErr") else ACCEPT,
            ask=lambda case=case, judge=judge: judge(case),  # type: ignore[misc]
        )


def _unit(case: dict[str, Any]) -> Callable[[dict[str, Any]], str]:
    if "HashOp" in case:
        return _hashed
    if "Proof" in case:
        return _existence
    if "Child" in case:
        return _inner
    if "Op" in case:
        return _leaf
    raise ValueError("no unit case of ICS-23")


def _judged(got: bytes, expected: bytes) -> str:
    return ACCEPT if got == expected or not expected else REJECT


def _hashed(case: dict[str, Any]) -> str:
    with under_judgment():
        data = text(case["Preimage"] if "Preimage" in case else case["PreImage"]).encode()
        op, expected = integer(case["HashOp"]), from_hex(case.get("ExpectedHash"))
    return _judged(digest(op, data), expected)


def _leaf(case: dict[str, Any]) -> str:
    with under_judgment():
        op, expected = _leaf_op(case["Op"]), from_base64(case.get("Expected"))
        key, value = from_base64(case.get("Key")), from_base64(case.get("Value"))
    return _judged(leaf_hash(op, key, value), expected)


def _inner(case: dict[str, Any]) -> str:
    with under_judgment():
        op, expected = _inner_op(case["Op"]), from_base64(case.get("Expected"))
        child = from_base64(case.get("Child"))
    return _judged(inner_hash(op, child), expected)


def _existence(case: dict[str, Any]) -> str:
    with under_judgment():
        proof, expected = case["Proof"], from_base64(case.get("Expected"))
        leaf = proof.get("leaf")
        existence = ExistenceProof(
            from_base64(proof.get("key")),
            from_base64(proof.get("value")),
            None if leaf is None else _leaf_op(leaf),
            tuple(_inner_op(op) for op in proof.get("path") or ()),
        )
    return _judged(calculate_root(existence), expected)


def _leaf_op(op: dict[str, Any]) -> LeafOp:
    return LeafOp(
        hash=integer(op.get("hash", 0)),
        prehash_key=integer(op.get("prehash_key", 0)),
        prehash_value=integer(op.get("prehash_value", 0)),
        length=integer(op.get("length", 0)),
        prefix=from_base64(op.get("prefix")),
    )


def _inner_op(op: dict[str, Any]) -> InnerOp:
    return InnerOp(
        integer(op.get("hash", 0)), from_base64(op.get("prefix")), from_base64(op.get("suffix"))
    )
