"""Real CometBFT headers and commits for the blocks of the chain.

The chain is one process and gossips nothing; what CometBFT would have agreed on by voting is made
here in one go, and signed by all validators but at times one, as long as more than two thirds of
the power are left.

Source: CometBFT spec/core/data_structures.md; types/block.go (Commit.Hash, Data.Hash, MakeBlock),
types/results.go, types/params.go (ConsensusParams.Hash); proposer-based timestamps, where a vote's
time is no part of the next block's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from hub.core import merkle
from hub.core.client import Header
from hub.core.codec.proto import varint_field
from hub.core.time import MILLISECOND, Timestamp
from hub.light_clients.cometbft.codec import (
    encode_header,
    encode_signature,
    encode_signed_header,
)
from hub.light_clients.cometbft.header import VotePayload, header_hash
from hub.light_clients.cometbft.types import (
    BlockId,
    BlockIdFlag,
    CometHeader,
    Commit,
    CommitSignature,
    SignedHeader,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from adapters.simchain.validators import Schedule, Signer, SignerSet
    from hub.core.ids import ChainId

BLOCK_PROTOCOL: Final = 11
_MAX_BYTES, _MAX_GAS = 22_020_096, -1
_CONSENSUS_HASH: Final = sha256(varint_field(1, _MAX_BYTES) + varint_field(2, _MAX_GAS)).digest()
_ABSENT_EVERY = 5
"""About one block in so many lacks a signature."""


@dataclass(frozen=True, slots=True)
class LightBlock:
    """A header, the commit for it, and the set that signed it."""

    signed: SignedHeader
    signers: SignerSet

    @property
    def header(self) -> Header:
        """As light clients take it."""
        return Header(content=encode_signed_header(self.signed), validators=self.signers.content)

    @property
    def hash(self) -> bytes:
        """The header's hash."""
        return self.signed.commit.block_id.hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What the next block's header says of the block and of the state before it."""

    time: Timestamp
    transactions: Sequence[bytes]
    app_hash: bytes
    """The root of the state that the block before left."""
    last_codes: Sequence[int]
    """The result of each transaction of the block before, 0 for success."""


def make_block(
    chain_id: ChainId, schedule: Schedule, last: LightBlock | None, contents: Contents
) -> LightBlock:
    """The block after *last*, or the first one, decided."""
    height = last.signed.header.height + 1 if last else 1
    signers = schedule.at(height)
    commit = last.signed.commit if last else None
    header = CometHeader(
        block_protocol=BLOCK_PROTOCOL,
        app_protocol=0,
        chain_id=chain_id,
        height=height,
        time=contents.time,
        last_block_id=commit.block_id if commit else BlockId(),
        last_commit_hash=merkle.root(
            [encode_signature(entry) for entry in commit.signatures] if commit else []
        ),
        data_hash=merkle.root([sha256(data).digest() for data in contents.transactions]),
        validators_hash=signers.hash,
        next_validators_hash=schedule.at(height + 1).hash,
        consensus_hash=_CONSENSUS_HASH,
        app_hash=contents.app_hash,
        last_results_hash=merkle.root([varint_field(1, code) for code in contents.last_codes]),
        evidence_hash=merkle.EMPTY_ROOT,
        proposer_address=signers.signers[height % len(signers.signers)].address,
    )
    return LightBlock(
        sign(header, signers, absent=_absent(schedule.seed, height, signers)), signers
    )


def sign(
    header: CometHeader, signers: SignerSet, *, absent: Collection[bytes] = ()
) -> SignedHeader:
    """*header*, and the votes for it of all *signers* but those with an *absent* address."""
    block_id = BlockId(header_hash(header), 1, merkle.leaf_hash(encode_header(header)))
    commit = Commit(height=header.height, round=0, block_id=block_id, signatures=())
    payload = VotePayload.of(header.chain_id, commit)
    entries = [
        _vote(one, payload, Timestamp(header.time + place * MILLISECOND))
        if one.address not in absent
        else _NO_VOTE
        for place, one in enumerate(signers.signers, 1)
    ]
    return SignedHeader(header, replace(commit, signatures=tuple(entries)))


_NO_VOTE: Final = CommitSignature(
    flag=BlockIdFlag.ABSENT, address=b"", time=Timestamp(-62_135_596_800 * 10**9), signature=b""
)
"""Source: CometBFT types/block.go, NewCommitSigAbsent: Go's zero time."""


def _vote(one: Signer, payload: VotePayload, time: Timestamp) -> CommitSignature:
    signature = one.key.sign(payload.at(time)).signature
    return CommitSignature(
        flag=BlockIdFlag.COMMIT, address=one.address, time=time, signature=signature
    )


def _absent(seed: bytes, height: int, signers: SignerSet) -> Collection[bytes]:
    """The address of the validator that misses this block, if one does."""
    digest = sha256(seed + b"absent" + height.to_bytes(8, "big")).digest()
    one = signers.signers[digest[1] % len(signers.signers)]
    if digest[0] % _ABSENT_EVERY or one.validator.power * 3 >= signers.total:
        return ()
    return (one.address,)
