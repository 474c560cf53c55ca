"""``python -m tests.vectors.record``: writes ``own``, from the builders of the tests.

Every input is made from fixed seeds, so the files come out the same each time; a test holds them to
it. What a case expects is written here by hand, never taken from the verifier.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hub.core.codec.proto import message_field, varint_field
from hub.core.commitment import commit_acknowledgement, commit_packet
from hub.core.ids import PortId
from hub.core.packet import Acknowledgement
from hub.core.time import SECOND, Timestamp
from hub.light_clients.cometbft.codec import encode_commit, encode_header
from hub.light_clients.proofs.batch_codec import encode_batch
from hub.light_clients.proofs.spec import InnerOp, NonExistenceProof
from hub.wire.packet import encode_acknowledgement, encode_packet
from tests.harness import proof_samples as samples
from tests.harness.cometbft import (
    Block,
    anchor_of,
    flip_bit,
    make_block,
    make_chain,
    make_header,
    members,
    resigned,
    with_entry,
    with_header,
)
from tests.harness.packet_samples import ACKNOWLEDGEMENT, PACKET, PAYLOAD

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hub.core.client import Anchor, ConsensusState, Header
    from tests.harness.cometbft import Member

FOLDER: Final = Path(__file__).with_name("own")

_OLD = members(10, 20, 30, 30)
_HALF = (*_OLD[2:], *members(60, 70, first=10))
_NEW = members(10, 20, 30, 40, first=20)
_TRUSTED, _NEXT, *_MORE = make_chain([_OLD, _OLD, _OLD, _HALF, _NEW])
_SAME, _CHANGED, _STRANGE = _MORE
_NOW = Timestamp(_STRANGE.time + SECOND)


def files() -> dict[str, dict[str, Any]]:
    """The content of every file, by name."""
    return {
        "headers.json": _headers(),
        "proofs.json": _proofs(),
        "batches.json": _batches(),
        "packets.json": _packets(),
        "acknowledgements.json": _acknowledgements(),
    }


def text_of(content: dict[str, Any]) -> str:
    """*content* as it stands in its file."""
    return json.dumps(content, indent=1) + "\n"


def main() -> None:
    """Every file is written anew."""
    FOLDER.mkdir(exist_ok=True)
    for name, content in files().items():
        (FOLDER / name).write_text(text_of(content))


def _case(name: str, reason: str = "", *, good: str = "accept", **content: Any) -> dict[str, Any]:
    verdict = {"expected": "reject", "reason": reason} if reason else {"expected": good}
    return {"name": name, **verdict, **content}


# Headers ------------------------------------------------------------------------------------------


def _headers() -> dict[str, Any]:
    return {
        "format": "header",
        "anchor": _anchor(anchor_of(_TRUSTED)),
        "trusted": _state(_TRUSTED.state),
        "trusted_validators": _TRUSTED.next_set.hex(),
        "cases": [*_good_headers(), *_forged_headers(), *_foreign_headers()],
    }


def _header_case(
    name: str, block: Block | Header, reason: str = "", *, good: str = "SUCCESS", now: int = _NOW
) -> dict[str, Any]:
    header = block.header if isinstance(block, Block) else block
    return _case(
        name,
        reason,
        good=good,
        now=now,
        content=header.content.hex(),
        validators=header.validators.hex(),
    )


def _good_headers() -> Iterator[dict[str, Any]]:
    yield _header_case("the next block", _NEXT)
    yield _header_case("the next block, a smaller quorum", resigned(_NEXT, absent={1}))
    yield _header_case("skipping to the same set", _SAME)
    yield _header_case("skipping to a set that shares more than a third", _CHANGED)
    third = _signed((_OLD[2], *members(60, 70, first=10)), _SAME)
    yield _header_case("skipping, exactly a third is shared", third, good="NOT_ENOUGH_TRUST")
    yield _header_case("skipping to a set of strangers", _STRANGE, good="NOT_ENOUGH_TRUST")


def _signed(group: Sequence[Member], block: Block = _NEXT, **how: Any) -> Block:
    """The place of *block* in the chain, taken by *group*."""
    header = make_header(
        group,
        group,
        height=block.height,
        time=block.time,
        last_block_id=block.signed.header.last_block_id,
    )
    return make_block(header, group, group, **how)


def _forged_headers() -> Iterator[dict[str, Any]]:
    header, strangers = _NEXT.header, members(10, 20, 30, 40, first=50)
    yield _header_case("no protobuf", replace(header, content=b"\xff"), "HEADER_UNPARSEABLE")
    yield _header_case(
        "a cut header", replace(header, content=header.content[:-1]), "HEADER_UNPARSEABLE"
    )
    yield _header_case("no set", replace(header, validators=b""), "HEADER_UNPARSEABLE")
    yield _header_case(
        "a default written out",
        replace(header, content=_with_round_written_out()),
        "ENCODING_NOT_CANONICAL",
    )
    yield _header_case(
        "another set",
        replace(header, validators=_STRANGE.header.validators),
        "VALIDATOR_SET_MISMATCH",
    )
    yield _header_case("a validator twice", _with_a_validator_twice(), "SIGNER_DUPLICATE")
    yield _header_case("a power of 0", _signed(members(0, 20, 30, 40)), "VOTING_POWER_INVALID")
    yield _header_case(
        "a power beyond the total", _signed(members(2**60, 20)), "VOTING_POWER_INVALID"
    )
    yield _header_case(
        "another root, old commit", with_header(_NEXT, app_hash=bytes(32)), "COMMIT_MISMATCH"
    )
    yield _header_case("another address", with_entry(_NEXT, 0, address=bytes(20)), "SIGNER_UNKNOWN")
    signature = _NEXT.signed.commit.signatures[0].signature
    yield _header_case(
        "a flipped signature",
        with_entry(_NEXT, 0, signature=flip_bit(signature)),
        "SIGNATURE_INVALID",
    )
    yield _header_case(
        "another time of a vote", with_entry(_NEXT, 3, time=_NEXT.time + 99), "SIGNATURE_INVALID"
    )
    yield _header_case(
        "exactly two thirds signed", resigned(_NEXT, absent={3}), "QUORUM_NOT_REACHED"
    )
    yield _header_case("nobody signed", resigned(_NEXT, absent={0, 1, 2, 3}), "QUORUM_NOT_REACHED")
    yield _header_case("the next block by strangers", _signed(strangers), "VALIDATOR_SET_MISMATCH")


def _foreign_headers() -> Iterator[dict[str, Any]]:
    yield _header_case("another chain", resigned(_NEXT, chain_id="wuxi-1"), "CHAIN_ID_MISMATCH")
    yield _header_case(
        "another block protocol", resigned(_NEXT, block_protocol=12), "PROTOCOL_VERSION_MISMATCH"
    )
    yield _header_case("the trusted header itself", _TRUSTED, "HEIGHT_NOT_INCREASING")
    yield _header_case(
        "the trusted time", resigned(_NEXT, time=_TRUSTED.time), "TIME_NOT_INCREASING"
    )
    drift = anchor_of(_TRUSTED).options.max_clock_drift
    yield _header_case(
        "as far ahead as the drift", _NEXT, "HEADER_FROM_FUTURE", now=_NEXT.time - drift
    )
    yield _header_case("just within the drift", _NEXT, now=_NEXT.time - drift + 1)
    period = anchor_of(_TRUSTED).options.trusting_period
    yield _header_case(
        "at the end of the trusting period", _NEXT, "CLIENT_EXPIRED", now=_TRUSTED.time + period
    )
    yield _header_case(
        "just before the end of the trusting period", _NEXT, now=_TRUSTED.time + period - 1
    )


def _with_round_written_out() -> bytes:
    """The next block, but that round 0, a default, is written out."""
    commit = encode_commit(_NEXT.signed.commit)
    height = varint_field(1, _NEXT.height)
    return message_field(1, encode_header(_NEXT.signed.header)) + message_field(
        2, height + b"\x10\x00" + commit.removeprefix(height)
    )


def _with_a_validator_twice() -> Block:
    doubled = (*_OLD, _OLD[3])
    return make_block(make_header(doubled, _OLD, height=2, time=_NEXT.time), doubled, _OLD)


def _anchor(anchor: Anchor) -> dict[str, Any]:
    level = anchor.options.trust_level
    return {
        "client_type": anchor.client_type,
        "chain_id": anchor.chain_id,
        "height": [anchor.height.revision, anchor.height.number],
        "header_hash": anchor.header_hash.hex(),
        "next_validators_hash": anchor.next_validators_hash.hex(),
        "options": {
            "trust_level": [level.numerator, level.denominator],
            "trusting_period": anchor.options.trusting_period,
            "max_clock_drift": anchor.options.max_clock_drift,
        },
        "prefix": [element.hex() for element in anchor.prefix],
    }


def _state(state: ConsensusState) -> dict[str, Any]:
    return {
        "height": [state.height.revision, state.height.number],
        "header_hash": state.header_hash.hex(),
        "time": state.time,
        "root": state.root.hex(),
        "next_validators_hash": state.next_validators_hash.hex(),
    }


# Proofs and batches -------------------------------------------------------------------------------


def _proofs() -> dict[str, Any]:
    return {
        "format": "proof",
        "root": samples.ROOT.hex(),
        "prefix": [element.hex() for element in samples.PREFIX],
        "cases": [*_included(), *_excluded()],
    }


def _proof_case(
    name: str, number: int, proof: bytes, reason: str = "", value: bytes | None = None
) -> dict[str, Any]:
    return _case(
        name,
        reason,
        good="excluded" if value is None else "included",
        key=samples.key(number).hex(),
        value=None if value is None else value.hex(),
        proof=proof.hex(),
    )


def _included() -> Iterator[dict[str, Any]]:
    number = samples.MIDDLE
    low, up, value = samples.lower(), samples.upper(), samples.value(number)
    good = samples.chained(low, up)
    first, *rest = low.path

    def case(name: str, proof: bytes, reason: str = "", value: bytes = value) -> dict[str, Any]:
        return _proof_case(name, number, proof, reason, value)

    yield case("a key with neighbours", good)
    yield case("another value", good, "MEMBERSHIP_NOT_PROVEN", b"forged")
    yield case("no protobuf", b"\xff", "PROOF_UNPARSEABLE")
    yield case("a byte too many", good + b"\x00", "PROOF_UNPARSEABLE")
    yield case("only the lower proof", samples.chained(low), "PROOF_SPEC_VIOLATED")
    yield case(
        "the leaf operation missing",
        samples.chained(replace(low, leaf=None), up),
        "PROOF_SPEC_VIOLATED",
    )
    both = replace(first, suffix=b"\x20" + bytes(32), prefix=first.prefix + bytes(33))
    yield case(
        "siblings on both sides of a node",
        samples.chained(replace(low, path=(both, *rest)), up),
        "PROOF_SPEC_VIOLATED",
    )
    other = InnerOp(first.hash, first.prefix[:-33] + bytes(32) + b"\x20", b"")
    yield case(
        "another sibling", samples.chained(replace(low, path=(other, *rest)), up), "ROOT_MISMATCH"
    )
    yield case("a node less", samples.chained(replace(low, path=low.path[1:]), up), "ROOT_MISMATCH")
    bank = samples.WORLD.store_proof("bank")
    yield case("the root of another store", samples.chained(low, bank), "ROOT_MISMATCH")


def _excluded() -> Iterator[dict[str, Any]]:
    number = samples.MIDDLE + 1
    full = samples.KEY_PREFIX + samples.key(number)
    absence, up = samples.WORLD.absence(samples.STORE, full), samples.upper()
    left, right = absence.left, absence.right

    def case(name: str, proof: NonExistenceProof, reason: str = "") -> dict[str, Any]:
        return _proof_case(name, number, samples.chained(proof, up), reason)

    yield case("a key between two others", absence)
    for name, outside in (
        ("a key left of all", 1),
        ("a key right of all", samples.PRESENT[-1] + 1),
    ):
        full_key = samples.KEY_PREFIX + samples.key(outside)
        proof = samples.WORLD.non_membership(samples.STORE, full_key)
        yield _proof_case(name, outside, proof)
    refused = "NON_MEMBERSHIP_NOT_PROVEN"
    yield case("one neighbour only", NonExistenceProof(full, left, None), refused)
    yield case("no neighbours", NonExistenceProof(full, None, None), refused)
    further = samples.lower(samples.MIDDLE + 4)
    yield case("a neighbour left out", NonExistenceProof(full, left, further), refused)
    if left and right:
        cut = NonExistenceProof(full, replace(left, path=()), replace(right, path=()))
        yield case("neighbours without paths", cut, refused)
    present = NonExistenceProof(
        samples.KEY_PREFIX + samples.key(samples.MIDDLE), samples.lower(samples.MIDDLE - 2), right
    )
    yield _proof_case(
        "a key that is present", samples.MIDDLE, samples.chained(present, up), refused
    )


def _batches() -> dict[str, Any]:
    return {
        "format": "batch",
        "root": samples.ROOT.hex(),
        "prefix": [element.hex() for element in samples.PREFIX],
        "cases": list(_batch_cases()),
    }


def _batch_cases() -> Iterator[dict[str, Any]]:
    shown = samples.PRESENT[3:9]
    leaves = samples.leaves(*shown)
    store, paths = samples.WORLD.batch_parts(
        samples.STORE, [samples.KEY_PREFIX + samples.key(number) for number in shown]
    )
    good, first = encode_batch(store, paths), paths[0]

    def case(
        name: str, batch: bytes, reason: str = "", leaves: Sequence[tuple[bytes, bytes]] = leaves
    ) -> dict[str, Any]:
        pairs = [[key.hex(), value.hex()] for key, value in leaves]
        return _case(name, reason, leaves=pairs, batch=batch.hex())

    yield case("neighbours", good)
    every = samples.PRESENT
    yield case("every key of the store", samples.batch(*every), leaves=samples.leaves(*every))
    yield case("one key", samples.batch(8), leaves=samples.leaves(8))
    yield case("cut", good[:-1], "PROOF_UNPARSEABLE")
    yield case("a byte too many", good + b"\x02", "PROOF_UNPARSEABLE")
    yield case("a leaf less", good, "PROOF_UNPARSEABLE", leaves[:-1])
    yield case("no leaves", good, "LIMIT_EXCEEDED", [])
    yield case("leaves in another order", good, "PROOF_BATCH_INVALID", leaves[::-1])
    forged = [(leaves[0][0], b"forged"), *leaves[1:]]
    yield case("the first value forged", good, "ROOT_MISMATCH", forged)
    forged = [*leaves[:-1], (leaves[-1][0], b"forged")]
    yield case("the last value forged", good, "PROOF_BATCH_INVALID", forged)
    empty = [*leaves[:-1], (leaves[-1][0], b"")]
    yield case("a value empty", good, "PROOF_SPEC_VIOLATED", empty)
    higher = (first, replace(paths[1], join=paths[1].join + 9), *paths[2:])
    yield case("a slot that is not open", encode_batch(store, higher), "PROOF_BATCH_INVALID")
    low = replace(first.steps[-1], height=first.steps[0].height)
    fallen = (replace(first, steps=(*first.steps[:-1], low)), *paths[1:])
    yield case("a height that falls", encode_batch(store, fallen), "PROOF_BATCH_INVALID")
    long = replace(first.steps[0], size=2**40, version=2**40)
    longer = (replace(first, steps=(long, *first.steps[1:])), *paths[1:])
    yield case("a prefix too long", encode_batch(store, longer), "PROOF_SPEC_VIOLATED")
    yield case("the store's path cut", encode_batch(store[:-1], paths), "ROOT_MISMATCH")


# Packets and acknowledgements ---------------------------------------------------------------------


def _packets() -> dict[str, Any]:
    return {"format": "packet", "cases": list(_packet_cases())}


def _packet_cases() -> Iterator[dict[str, Any]]:
    good = encode_packet(PACKET)
    commitment = commit_packet(PACKET).hex()

    def case(name: str, data: bytes, reason: str = "") -> dict[str, Any]:
        return _case(name, reason, bytes=data.hex(), commitment=commitment)

    yield case("two payloads", good)
    one = replace(PACKET, sequence=2**63 - 1, payloads=(PAYLOAD,))
    yield _case(
        "the last sequence",
        bytes=encode_packet(one).hex(),
        commitment=commit_packet(one).hex(),
    )
    yield case("no protobuf", b"\xff", "PACKET_INVALID")
    yield case("an unknown field", good + b"\x32\x01x", "ENCODING_NOT_CANONICAL")
    yield case("sequence written long", b"\x08\x85\x00" + good[2:], "ENCODING_NOT_CANONICAL")
    changes: list[tuple[str, dict[str, Any], str]] = [
        ("no sequence", {"sequence": 0}, "PACKET_INVALID"),
        ("no timeout", {"timeout_timestamp": 0}, "PACKET_INVALID"),
        ("no payload", {"payloads": ()}, "PACKET_INVALID"),
        ("an empty payload", {"payloads": (replace(PAYLOAD, value=b""),)}, "PACKET_INVALID"),
        ("a client id without a number", {"source_client": "client"}, "IDENTIFIER_INVALID"),
        (
            "a port of one character",
            {"payloads": (replace(PAYLOAD, source_port=PortId("p")),)},
            "IDENTIFIER_INVALID",
        ),
    ]
    for name, change, reason in changes:
        yield case(name, encode_packet(replace(PACKET, **change)), reason)


def _acknowledgements() -> dict[str, Any]:
    return {"format": "acknowledgement", "cases": list(_acknowledgement_cases())}


def _acknowledgement_cases() -> Iterator[dict[str, Any]]:
    good = encode_acknowledgement(ACKNOWLEDGEMENT)
    commitment = commit_acknowledgement(ACKNOWLEDGEMENT).hex()

    def case(name: str, data: bytes, reason: str = "") -> dict[str, Any]:
        return _case(name, reason, bytes=data.hex(), commitment=commitment)

    yield case("two answers", good)
    yield case("no protobuf", b"\xff", "PACKET_INVALID")
    yield case("an unknown field", good + b"\x12\x01x", "ENCODING_NOT_CANONICAL")
    yield case("no answer", b"", "PACKET_INVALID")
    empty = encode_acknowledgement(Acknowledgement((b"a", b"")))
    yield case("an empty answer", empty, "PACKET_INVALID")


if __name__ == "__main__":
    main()
