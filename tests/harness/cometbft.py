"""Chains of CometBFT light blocks, signed with real keys made from seeds.

``make_chain`` builds blocks by the sets that sign them; ``resigned`` changes a header and has its
validators sign it anew, as faulty validators could; ``with_header``, ``with_commit`` and
``with_entry`` change what was signed, as anyone could.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from coincurve import PrivateKey
from nacl.signing import SigningKey

from hub.core.client import Anchor, ConsensusState, Fraction, Header, TrustOptions
from hub.core.crypto import ed25519
from hub.core.ids import ChainId
from hub.core.time import SECOND, Duration, Timestamp
from hub.light_clients.cometbft.client import CometBftClient
from hub.light_clients.cometbft.codec import encode_signed_header, encode_validators
from hub.light_clients.cometbft.header import (
    VotePayload,
    address,
    header_hash,
    height_of,
    validators_hash,
)
from hub.light_clients.cometbft.types import (
    BlockId,
    BlockIdFlag,
    CometHeader,
    Commit,
    CommitSignature,
    KeyKind,
    PublicKey,
    SignedHeader,
    Validator,
    ValidatorSet,
)
from hub.light_clients.interface import Verified

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import pytest

    from hub.core.crypto.ed25519 import SlowChecks
    from hub.light_clients.interface import Verdict

CHAIN_ID = "suzhou-1"
START = Timestamp(1_800_000_000 * SECOND)
BLOCK_TIME = Duration(1 * SECOND)
DAY = Duration(86_400 * SECOND)
DRIFT = Duration(10 * SECOND)
ONE_THIRD = Fraction(1, 3)
ZERO_TIME = Timestamp(-62_135_596_800 * SECOND)
"""Go's zero time, the year 1: what an absent entry carries."""
ABSENT = CommitSignature(flag=BlockIdFlag.ABSENT, address=b"", time=ZERO_TIME, signature=b"")


@dataclass(frozen=True)
class Member:
    """A validator with its key, and the power that it has in a set."""

    seed: int
    power: int = 10
    kind: KeyKind = KeyKind.ED25519

    @property
    def validator(self) -> Validator:
        return Validator(_public_key(self.seed, self.kind), self.power)

    @property
    def address(self) -> bytes:
        return address(self.validator.public_key)

    def sign(self, message: bytes) -> bytes:
        """The signature (64 bytes) of *message*."""
        if self.kind is KeyKind.ED25519:
            return _signing_key(self.seed).sign(message).signature
        return PrivateKey(_secret(self.seed)).sign_recoverable(message)[:64]


def members(*powers: int, first: int = 0, kind: KeyKind = KeyKind.ED25519) -> tuple[Member, ...]:
    """Members with these powers, and keys of the seeds *first*, *first* + 1, ..."""
    return tuple(Member(first + at, power, kind) for at, power in enumerate(powers))


def in_order(group: Sequence[Member]) -> list[Member]:
    """*group* in the order of a set: power downwards, then address."""
    return sorted(group, key=lambda member: (-member.power, member.address))


def validator_set(group: Sequence[Member]) -> ValidatorSet:
    return ValidatorSet(tuple(member.validator for member in in_order(group)))


@dataclass(frozen=True)
class Block:
    """A light block, and who holds its keys."""

    signed: SignedHeader
    group: tuple[Member, ...]
    """Whose signatures stand in the commit, in the set's order."""
    validators: ValidatorSet
    next_validators: ValidatorSet

    @property
    def header(self) -> Header:
        return Header(
            content=encode_signed_header(self.signed), validators=encode_validators(self.validators)
        )

    @property
    def next_set(self) -> bytes:
        """The canonical bytes of the set that signs the next block."""
        return encode_validators(self.next_validators)

    @property
    def height(self) -> int:
        return self.signed.header.height

    @property
    def time(self) -> Timestamp:
        return self.signed.header.time

    @property
    def state(self) -> ConsensusState:
        header = self.signed.header
        return ConsensusState(
            height=height_of(header),
            header_hash=header_hash(header),
            time=header.time,
            root=header.app_hash,
            next_validators_hash=header.next_validators_hash,
        )


def make_chain(
    groups: Sequence[Sequence[Member]],
    *,
    chain_id: str = CHAIN_ID,
    first_height: int = 1,
    start: Timestamp = START,
    block_time: Duration = BLOCK_TIME,
) -> list[Block]:
    """Blocks signed by *groups* in turn; the last group also names itself for the next block."""
    blocks: list[Block] = []
    last_block_id = BlockId()
    for at, group in enumerate(groups):
        following = groups[min(at + 1, len(groups) - 1)]
        header = make_header(
            group,
            following,
            chain_id=chain_id,
            height=first_height + at,
            time=Timestamp(start + at * block_time),
            last_block_id=last_block_id,
        )
        block = make_block(header, group, following)
        last_block_id = block.signed.commit.block_id
        blocks.append(block)
    return blocks


def make_header(
    group: Sequence[Member], following: Sequence[Member], **changes: Any
) -> CometHeader:
    """A header of *group* that names *following* for the next block."""
    fields: dict[str, Any] = {
        "block_protocol": 11,
        "app_protocol": 1,
        "chain_id": CHAIN_ID,
        "height": 1,
        "time": START,
        "last_block_id": BlockId(),
        "last_commit_hash": _digest("last commit"),
        "data_hash": _digest("data"),
        "validators_hash": validators_hash(validator_set(group)),
        "next_validators_hash": validators_hash(validator_set(following)),
        "consensus_hash": _digest("consensus"),
        "app_hash": _digest("app"),
        "last_results_hash": _digest("results"),
        "evidence_hash": _digest("evidence"),
        "proposer_address": in_order(group)[0].address,
    }
    return CometHeader(**(fields | changes))


def make_block(
    header: CometHeader,
    group: Sequence[Member],
    following: Sequence[Member],
    *,
    absent: Collection[int] = (),
    nil: Collection[int] = (),
    round_: int = 0,
) -> Block:
    """*header* signed by *group*, but for the members of these seeds."""
    commit = make_commit(header, group, absent=absent, nil=nil, round_=round_)
    return Block(
        SignedHeader(header, commit),
        tuple(in_order(group)),
        validator_set(group),
        validator_set(following),
    )


def make_commit(
    header: CometHeader,
    group: Sequence[Member],
    *,
    absent: Collection[int] = (),
    nil: Collection[int] = (),
    round_: int = 0,
) -> Commit:
    """The votes of *group* for *header*; *absent* and *nil* are seeds."""
    unsigned = Commit(
        height=header.height,
        round=round_,
        block_id=BlockId(header_hash(header), 1, _digest(f"parts {header.height}")),
        signatures=(),
    )
    for_block = VotePayload.of(header.chain_id, unsigned)
    for_nothing = VotePayload.of(header.chain_id, replace(unsigned, block_id=BlockId()))
    entries: list[CommitSignature] = []
    for at, member in enumerate(in_order(group)):
        if member.seed in absent:
            entries.append(ABSENT)
            continue
        flag = BlockIdFlag.NIL if member.seed in nil else BlockIdFlag.COMMIT
        payload = for_nothing if flag is BlockIdFlag.NIL else for_block
        time = Timestamp(header.time + at)
        entries.append(
            CommitSignature(
                flag=flag,
                address=member.address,
                time=time,
                signature=member.sign(payload.at(time)),
            )
        )
    return replace(unsigned, signatures=tuple(entries))


def resigned(block: Block, *, absent: Collection[int] = (), **changes: Any) -> Block:
    """*block* with *changes* to its header, signed again by its own validators."""
    header = replace(block.signed.header, **changes)
    commit = make_commit(header, block.group, absent=absent)
    return replace(block, signed=SignedHeader(header, commit))


def with_header(block: Block, **changes: Any) -> Block:
    """*block* with *changes* to its header, under the old commit."""
    signed = replace(block.signed, header=replace(block.signed.header, **changes))
    return replace(block, signed=signed)


def with_commit(block: Block, **changes: Any) -> Block:
    """*block* with *changes* to its commit."""
    signed = replace(block.signed, commit=replace(block.signed.commit, **changes))
    return replace(block, signed=signed)


def with_entry(block: Block, index: int, **changes: Any) -> Block:
    """*block* with *changes* to entry *index* of its commit."""
    entries = list(block.signed.commit.signatures)
    entries[index] = replace(entries[index], **changes)
    return with_commit(block, signatures=tuple(entries))


class CountedSignatures:
    """The Ed25519 signatures that are verified from now on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.checked: list[bytes] = []
        genuine = ed25519.verify_zip215

        def counted(key: bytes, message: bytes, signature: bytes, slow: SlowChecks) -> bool:
            self.checked.append(signature)
            return genuine(key, message, signature, slow)

        monkeypatch.setattr(ed25519, "verify_zip215", counted)


def flip_bit(data: bytes, index: int = 0) -> bytes:
    """*data* with one bit of byte *index* flipped."""
    changed = bytearray(data)
    changed[index] ^= 1
    return bytes(changed)


def anchor_of(
    block: Block,
    *,
    trust_level: Fraction = ONE_THIRD,
    trusting_period: Duration = DAY,
    max_clock_drift: Duration = DRIFT,
) -> Anchor:
    """The anchor that an operator would write down for *block*."""
    state = block.state
    return Anchor(
        client_type="07-tendermint",
        chain_id=ChainId(block.signed.header.chain_id),
        height=state.height,
        header_hash=state.header_hash,
        next_validators_hash=state.next_validators_hash,
        options=TrustOptions(
            trust_level=trust_level,
            trusting_period=trusting_period,
            max_clock_drift=max_clock_drift,
        ),
        prefix=(b"ibc", b""),
    )


def judge(
    block: Block | Header,
    trusted: Block,
    *,
    anchor: Anchor | None = None,
    now: Timestamp | None = None,
) -> Verdict:
    """The client's verdict on *block* from *trusted*, a second after the block unless told."""
    header = block if isinstance(block, Header) else block.header
    if now is None:
        now = Timestamp((trusted if isinstance(block, Header) else block).time + BLOCK_TIME)
    return CometBftClient().verify_header(
        anchor or anchor_of(trusted), trusted.state, trusted.next_set, header, now=now
    )


def is_accepted(block: Block, trusted: Block, **how: Any) -> bool:
    """Whether *block* is verified from *trusted*, and kept as it is."""
    return judge(block, trusted, **how) == Verified(block.state)


@cache
def _secret(seed: int) -> bytes:
    return sha256(f"validator {seed}".encode()).digest()


@cache
def _signing_key(seed: int) -> SigningKey:
    return SigningKey(_secret(seed))


@cache
def _public_key(seed: int, kind: KeyKind) -> PublicKey:
    if kind is KeyKind.ED25519:
        return PublicKey(kind, bytes(SigningKey(_secret(seed)).verify_key))
    return PublicKey(kind, PrivateKey(_secret(seed)).public_key.format(compressed=True))


def _digest(text: str) -> bytes:
    return sha256(text.encode()).digest()
