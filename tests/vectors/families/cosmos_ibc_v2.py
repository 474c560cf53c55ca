"""Family ``live/cosmos_ibc_v2``: light blocks of running chains, proofs under them, IBC v2 packets.

Every block is verified after the last good one before it, and from the first one by skipping, with
bisection over the file's own blocks. Every proof is judged under the root of the header that it
names, which must have been verified.

Source: the README beside the vectors: trust level 1/3, trusting period 1 h, now one minute after
the last header, drift 10 s.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hub.core.client import Anchor, TrustOptions
from hub.core.codec.proto import message_field
from hub.core.commitment import commit_packet
from hub.core.errors import HubError
from hub.core.ids import ChainId
from hub.core.time import SECOND, Duration, Timestamp
from hub.light_clients.cometbft.client import CLIENT_TYPE, CometBftClient
from hub.light_clients.interface import Verified
from hub.light_clients.proofs.batch import verify_batch
from hub.light_clients.proofs.fold import fold_batch
from hub.light_clients.proofs.ics23 import verify_membership, verify_non_membership
from hub.wire.packet import decode_packet
from tests.vectors.cases import (
    ACCEPT,
    EXCLUDED,
    INCLUDED,
    INVALID,
    INVALID_HEADER,
    NOT_ENOUGH_TRUST,
    SUCCESS,
    Question,
    Unreadable,
    under_judgment,
)
from tests.vectors.comet_json import header_of, read_validators
from tests.vectors.json_fields import from_base64, from_hex, integer, moment, text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hub.core.client import ConsensusState, Header

_CLIENT: Final = CometBftClient()
_OPTIONS: Final = TrustOptions(
    trusting_period=Duration(3600 * SECOND), max_clock_drift=Duration(10 * SECOND)
)
_AFTER: Final = 60 * SECOND
_OPS: Final = ("ics23:iavl", "ics23:simple")


def questions(content: dict[str, Any], path: Path) -> Iterator[Question]:
    """The cases of one file."""
    if "light_blocks" in content:
        return _light_blocks(content)
    if "proofs" in content or "packets" in content:
        return _proofs(content, path)
    raise ValueError("neither light blocks nor proofs")


@dataclass(frozen=True, slots=True)
class _Trusted:
    state: ConsensusState
    validators: bytes
    """The set that the state names as next."""


class _Chain:
    """The light blocks of one file, and what is verified of them."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.blocks: list[dict[str, Any]] = content["light_blocks"]
        self.now = _now(self.blocks)
        self.sets = _sets_by_hash(self.blocks)
        self.first: _Trusted | None = None
        self.last: _Trusted | None = None
        self.anchor: Anchor | None = None
        self.states: dict[int, ConsensusState] = {}

    def start(self) -> str:
        """The first block is what the file's client starts from; it is checked all the same."""
        header = self.header(0)
        state = _CLIENT.read_header(header)
        self.anchor = Anchor(
            client_type=CLIENT_TYPE,
            chain_id=ChainId(text(_claim(self.blocks[0])["chain_id"])),
            height=state.height,
            header_hash=state.header_hash,
            next_validators_hash=state.next_validators_hash,
            options=_OPTIONS,
            prefix=(b"ibc", b""),
        )
        _CLIENT.trust_anchor(self.anchor, header)
        self.first = self.last = self.trust(state)
        return SUCCESS

    def follow(self, index: int) -> str:
        """The verdict of block *index* after the last good one."""
        found = self.verify(self.last, index)
        if found is None:
            return NOT_ENOUGH_TRUST
        self.last = found
        return SUCCESS

    def skip(self, index: int) -> str:
        """The verdict of block *index* from the first, over as few blocks as trust allows."""
        trusted, start = self.first, 0
        while self.verify(trusted, index) is None:
            trusted, start = self.step_towards(index, trusted, start)
            if trusted is None:
                return NOT_ENOUGH_TRUST
        return SUCCESS

    def step_towards(
        self, index: int, trusted: _Trusted | None, start: int
    ) -> tuple[_Trusted | None, int]:
        """A good block between *start* and *index*, the nearer to the middle the better."""
        between = sorted(range(start + 1, index), key=lambda at: abs(2 * at - start - index))
        for at in between:
            try:
                found = self.verify(trusted, at)
            except (HubError, Unreadable):
                continue
            if found is not None:
                return found, at
        return None, start

    def verify(self, trusted: _Trusted | None, index: int) -> _Trusted | None:
        if trusted is None or self.anchor is None:
            raise Unreadable("the first block is not good")
        verdict = _CLIENT.verify_header(
            self.anchor, trusted.state, trusted.validators, self.header(index), now=self.now
        )
        return self.trust(verdict.state) if isinstance(verdict, Verified) else None

    def trust(self, state: ConsensusState) -> _Trusted:
        self.states[state.height.number] = state
        return _Trusted(state, self.sets.get(state.next_validators_hash, b""))

    def header(self, index: int) -> Header:
        block = self.blocks[index]
        with under_judgment():
            return header_of(block["signed_header"], read_validators(block["validators"]))


def _claim(block: dict[str, Any]) -> dict[str, Any]:
    return dict(block["signed_header"]["header"])


def _height(blocks: list[dict[str, Any]], index: int) -> str:
    """The height that a block claims; its place in the file if it claims none."""
    try:
        with under_judgment():
            return str(integer(_claim(blocks[index])["height"]))
    except Unreadable:
        return f"light_blocks[{index}]"


def _now(blocks: list[dict[str, Any]]) -> Timestamp:
    """One minute after the last header; one dated beyond the trusting period is not asked."""
    times: list[int] = []
    for block in blocks:
        try:
            with under_judgment():
                times.append(moment(_claim(block)["time"]))
        except Unreadable:
            continue
    return Timestamp(max(t for t in times if t < times[0] + _OPTIONS.trusting_period) + _AFTER)


def _sets_by_hash(blocks: list[dict[str, Any]]) -> dict[bytes, bytes]:
    """Each readable set's bytes by its hash: a state names its next set by hash only."""
    sets: dict[bytes, bytes] = {}
    for block in blocks:
        try:
            with under_judgment():
                header = header_of(block["signed_header"], read_validators(block["validators"]))
            sets[_CLIENT.hash_validators(header.validators)] = header.validators
        except (HubError, Unreadable):
            continue
    return sets


def _light_blocks(content: dict[str, Any]) -> Iterator[Question]:
    chain = _Chain(content)
    heights = [_height(chain.blocks, index) for index in range(len(chain.blocks))]
    for index, height in enumerate(heights):
        yield Question(
            case=f"{height} after the block before it",
            expected=SUCCESS,
            ask=lambda index=index: chain.follow(index) if index else chain.start(),  # type: ignore[misc]
            refusal=INVALID_HEADER,
            also=(height, f"light_blocks[{index}]", f"block {height}", f"{height} sequential"),
        )
    for index, height in enumerate(heights[1:], 1):
        yield Question(
            case=f"{height} from the first by skipping",
            expected=SUCCESS,
            ask=lambda index=index: chain.skip(index),  # type: ignore[misc]
            refusal=INVALID_HEADER,
            also=(height, f"light_blocks[{index}]", f"block {height}", f"{height} skipping"),
        )


def _proofs(content: dict[str, Any], path: Path) -> Iterator[Question]:
    proofs = content.get("proofs") or []
    states = _verified_states(path, text(content["chain_id"]))
    for at, packet in enumerate(content.get("packets") or ()):
        sequence = packet.get("attributes", {}).get("packet_sequence")
        yield Question(
            case=f"packets[{at}]",
            expected=ACCEPT,
            ask=lambda packet=packet: _judge_packet(packet, proofs),  # type: ignore[misc]
            also=(f"packet {sequence}",),
        )
    for at, proof in enumerate(proofs):
        names = (f"{proof.get('what')} {proof.get('sequence')}", str(proof.get("key_hex")))
        yield Question(
            case=f"proofs[{at}]",
            expected=EXCLUDED if proof.get("value_base64") is None else INCLUDED,
            ask=lambda proof=proof: _judge_proof(proof, states),  # type: ignore[misc]
            refusal=INVALID,
            also=(str(at), f"proof {at}", *names),
        )


def _verified_states(path: Path, chain_id: str) -> dict[int, ConsensusState]:
    """The verified states of *chain_id* by height, out of the files beside *path*."""
    states: dict[int, ConsensusState] = {}
    for beside in sorted(path.parent.glob("*.json")):
        try:
            content = json.loads(beside.read_bytes())
            if content["chain_id"] == chain_id and "light_blocks" in content:
                states |= _verified(_Chain(content))
        except (ValueError, LookupError, TypeError):
            continue
    return states


def _verified(chain: _Chain) -> dict[int, ConsensusState]:
    for index in range(len(chain.blocks)):
        try:
            chain.follow(index) if index else chain.start()
        except (HubError, Unreadable):
            continue
    return chain.states


def _judge_proof(proof: dict[str, Any], states: dict[int, ConsensusState]) -> str:
    with under_judgment():
        store, key = text(proof["store"]), from_hex(proof["key_hex"])
        ops = proof["proof_ops"]
        ops = ops["ops"] if isinstance(ops, dict) else ops
        named = [(text(op["type"]), from_base64(op["key"])) for op in ops]
        chained = b"".join([message_field(1, from_base64(op["data"])) for op in ops])
        value = proof.get("value_base64")
        root = states[integer(proof["root_in_header"])].root
        if named != list(zip(_OPS, (key, store.encode()), strict=True)):
            raise Unreadable("the operations are not those of an IAVL store and its map")
        content = from_base64(value)
    if value is None:
        verify_non_membership(root, (store.encode(), b""), key, chained)
        return EXCLUDED
    verify_membership(root, (store.encode(), b""), key, content, chained)
    leaves = [(key, content)]
    batch = fold_batch((store.encode(), b""), leaves, [chained])
    verify_batch(root, (store.encode(), b""), leaves, batch)
    return INCLUDED


def _judge_packet(entry: dict[str, Any], proofs: list[dict[str, Any]]) -> str:
    """The packet is canonical, its event tells the same, and the chain stores its commitment."""
    with under_judgment():
        told = entry["attributes"]
        packet = decode_packet(from_hex(told["encoded_packet_hex"]))
        same = {
            "packet_source_client": packet.source_client,
            "packet_dest_client": packet.destination_client,
            "packet_sequence": str(packet.sequence),
            "packet_timeout_timestamp": str(packet.timeout_timestamp),
        }
        for name, value in same.items():
            if name in told and str(told[name]) != value:
                raise Unreadable(f"{name} is {told[name]}, the packet says {value}")
        stored = [
            from_base64(proof["value_base64"])
            for proof in proofs
            if proof.get("what") == "packet commitment"
            and integer(proof["sequence"]) == packet.sequence
            and proof.get("value_base64") is not None
        ]
    if any(value != commit_packet(packet) for value in stored):
        raise Unreadable("the chain stores another commitment")
    return ACCEPT
