"""Headers as a node serves them, turned into the light client's canonical bytes.

What can be checked without trust is: the header is of the chain and of the height that was asked
for, the commit is for it, the validators are those that it names, and both decode as the hub will
decode them. That its validators signed it is the light client's to judge.

Source: CometBFT rpc/core/{blocks,consensus}.go; types/{block,validator_set}.go.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from hub.core.errors import (
    ChainIdMismatch,
    CommitMismatch,
    HeaderUnparseable,
    LimitExceeded,
    RecordCorrupt,
    ValidatorSetMismatch,
)
from hub.core.time import SECOND, Timestamp
from hub.light_clients.cometbft.codec import (
    MAX_VALIDATORS,
    decode_signed_header,
    decode_validators,
    encode_signed_header,
    encode_validators,
)
from hub.light_clients.cometbft.header import header_hash, validators_hash
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

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapters.cosmos.rpc.answers import (
        BlockIdAnswer,
        CommitAnswer,
        CommitBody,
        HeaderAnswer,
        SignatureAnswer,
        ValidatorAnswer,
    )
    from hub.core.ids import ChainId

_KINDS: Final = {
    "tendermint/PubKeyEd25519": KeyKind.ED25519,
    "tendermint/PubKeySecp256k1": KeyKind.SECP256K1,
}
_FLAGS: Final = {flag.value: flag for flag in BlockIdFlag}
_MOMENT: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?Z"
)
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00")
_A_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Signed:
    """A header with the commit for it."""

    header: CometHeader
    content: bytes
    """Canonical bytes of both."""


def read_signed_header(answer: CommitAnswer, chain_id: ChainId, number: int) -> Signed:
    """The header of block *number* of *chain_id*, with the commit for it.

    Raises ``ChainIdMismatch``, ``RecordCorrupt``, ``CommitMismatch``, ``HeaderUnparseable``,
    ``EncodingNotCanonical`` or ``LimitExceeded``.
    """
    signed = answer.signed_header
    if len(signed.commit.signatures or ()) > MAX_VALIDATORS:
        count = len(signed.commit.signatures or ())
        raise LimitExceeded(what="commit entries", count=count, limit=MAX_VALIDATORS)
    block = SignedHeader(_header(signed.header), _commit(signed.commit))
    check_place(block.header, chain_id, number)
    content = encode_signed_header(block)
    # Bounds and lengths are the hub's; they are looked at in one place only.
    block = decode_signed_header(content)
    header, commit = block.header, block.commit
    if commit.height != header.height:
        raise CommitMismatch(field="height", got=str(commit.height), expected=str(header.height))
    check_hash(header, commit.block_id.hash)
    return Signed(header, content)


def read_header(answer: HeaderAnswer, chain_id: ChainId, number: int) -> CometHeader:
    """The header of block *number* of *chain_id*. Raises as ``read_signed_header``."""
    header = _header(answer)
    check_place(header, chain_id, number)
    return header


def check_place(header: CometHeader, chain_id: ChainId, number: int) -> None:
    """*header* is that of block *number* of *chain_id*.

    Raises ``ChainIdMismatch`` or ``RecordCorrupt``.
    """
    if header.chain_id != chain_id:
        raise ChainIdMismatch(got=header.chain_id[:80], expected=chain_id)
    if header.height != number:
        what = f"header {number} of {chain_id}"
        raise RecordCorrupt(what=what, stored=f"height {header.height}", computed=f"{number}")


def check_hash(header: CometHeader, block_hash: bytes) -> None:
    """*header* has the hash that its block is named by. Raises ``CommitMismatch``."""
    got = header_hash(header)
    if got != block_hash:
        raise CommitMismatch(field="block id", got=block_hash.hex(), expected=got.hex())


def read_validators(answers: Iterable[ValidatorAnswer], expected: bytes) -> bytes:
    """Canonical bytes of the set with the hash *expected*.

    Raises ``ValidatorSetMismatch``, ``HeaderUnparseable`` or ``LimitExceeded``.
    """
    data = encode_validators(ValidatorSet(tuple([_validator(answer) for answer in answers])))
    got = validators_hash(decode_validators(data))
    if got != expected:
        raise ValidatorSetMismatch(got=got.hex(), expected=expected.hex())
    return data


def read_hex(text: str, what: str) -> bytes:
    """The bytes of *text*. Raises ``HeaderUnparseable``."""
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise HeaderUnparseable(what=what, problem=f"{text[:80]!r} is not hex") from error


def read_time(text: str, what: str) -> Timestamp:
    """The time of *text* in RFC 3339, UTC, to the nanosecond. Raises ``HeaderUnparseable``."""
    match = _MOMENT.fullmatch(text)
    if match is not None:
        whole, part = match.groups(default="")
        try:
            return Timestamp(_seconds(whole) * SECOND + int(part.ljust(9, "0")))
        except ValueError:
            pass  # there is no such day, or no such second
    raise HeaderUnparseable(what=what, problem=f"{text[:80]!r} is not a time")


@lru_cache(maxsize=256)
def _seconds(text: str) -> int:
    """Seconds from the epoch to *text*; votes for one block share a few of them."""
    return (datetime.fromisoformat(text) - _EPOCH) // _A_SECOND


def _header(answer: HeaderAnswer) -> CometHeader:
    return CometHeader(
        block_protocol=answer.version.block,
        app_protocol=answer.version.app,
        chain_id=answer.chain_id,
        height=answer.height,
        time=read_time(answer.time, "header time"),
        last_block_id=_block_id(answer.last_block_id),
        last_commit_hash=read_hex(answer.last_commit_hash, "last_commit_hash"),
        data_hash=read_hex(answer.data_hash, "data_hash"),
        validators_hash=read_hex(answer.validators_hash, "validators_hash"),
        next_validators_hash=read_hex(answer.next_validators_hash, "next_validators_hash"),
        consensus_hash=read_hex(answer.consensus_hash, "consensus_hash"),
        app_hash=read_hex(answer.app_hash, "app_hash"),
        last_results_hash=read_hex(answer.last_results_hash, "last_results_hash"),
        evidence_hash=read_hex(answer.evidence_hash, "evidence_hash"),
        proposer_address=read_hex(answer.proposer_address, "proposer_address"),
    )


def _commit(answer: CommitBody) -> Commit:
    return Commit(
        height=answer.height,
        round=answer.round,
        block_id=_block_id(answer.block_id),
        signatures=tuple([_signature(entry) for entry in answer.signatures or ()]),
    )


def _signature(answer: SignatureAnswer) -> CommitSignature:
    flag = _FLAGS.get(answer.block_id_flag)
    if flag is None:
        problem = f"flag is {answer.block_id_flag}"
        raise HeaderUnparseable(what="commit entry", problem=problem)
    return CommitSignature(
        flag=flag,
        address=read_hex(answer.validator_address, "validator address"),
        time=read_time(answer.timestamp, "commit entry"),
        signature=answer.signature or b"",
    )


def _block_id(answer: BlockIdAnswer) -> BlockId:
    return BlockId(
        read_hex(answer.hash, "block id hash"),
        answer.parts.total,
        read_hex(answer.parts.hash, "parts hash"),
    )


def _validator(answer: ValidatorAnswer) -> Validator:
    kind = _KINDS.get(answer.pub_key.type)
    if kind is None:
        problem = f"type {answer.pub_key.type[:80]!r} is not verified here"
        raise HeaderUnparseable(what="public key", problem=problem)
    return Validator(PublicKey(kind, answer.pub_key.value), answer.voting_power)
