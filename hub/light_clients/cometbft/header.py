"""What is hashed and signed of a CometBFT light block.

Source: CometBFT types/block.go (Header.Hash), types/validator_set.go (Hash), types/canonical.go,
types/encoding_helper.go (cdcEncode: an empty value is an empty leaf), crypto/{ed25519,secp256k1}
(Address); ibc-go modules/core/02-client/types/height.go (ParseChainID).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Self

from hub.core.codec.proto import (
    bytes_field,
    encode_varint,
    message_field,
    sfixed64_field,
    varint_field,
)
from hub.core.crypto.digests import ripemd160
from hub.core.height import Height
from hub.core.merkle import root
from hub.light_clients.cometbft.codec import (
    ADDRESS_BYTES,
    encode_block_id,
    encode_timestamp,
    encode_validator,
    encode_version,
)
from hub.light_clients.cometbft.types import BlockId, KeyKind

if TYPE_CHECKING:
    from hub.core.time import Timestamp
    from hub.light_clients.cometbft.types import CometHeader, Commit, PublicKey, ValidatorSet

_PRECOMMIT = 2
_REVISION = re.compile(r".*[^\n-]-([1-9][0-9]*)")
_TIMESTAMP_TAG = b"\x2a"
_NO_BLOCK = BlockId()


def header_hash(header: CometHeader) -> bytes:
    """The hash of *header*: the RFC 6962 root over its 14 fields."""
    return root(
        [
            encode_version(header.block_protocol, header.app_protocol),
            bytes_field(1, header.chain_id.encode()),
            varint_field(1, header.height),
            encode_timestamp(header.time),
            encode_block_id(header.last_block_id),
            bytes_field(1, header.last_commit_hash),
            bytes_field(1, header.data_hash),
            bytes_field(1, header.validators_hash),
            bytes_field(1, header.next_validators_hash),
            bytes_field(1, header.consensus_hash),
            bytes_field(1, header.app_hash),
            bytes_field(1, header.last_results_hash),
            bytes_field(1, header.evidence_hash),
            bytes_field(1, header.proposer_address),
        ]
    )


def validators_hash(validator_set: ValidatorSet) -> bytes:
    """The hash of *validator_set*: the RFC 6962 root over its keys and powers, in order."""
    return root([encode_validator(validator) for validator in validator_set.validators])


def address(public_key: PublicKey) -> bytes:
    """The 20 bytes that name the validator with *public_key*."""
    digest = sha256(public_key.data).digest()
    if public_key.kind is KeyKind.ED25519:
        return digest[:ADDRESS_BYTES]
    return ripemd160(digest)


@dataclass(frozen=True, slots=True)
class VotePayload:
    """What the validators of one commit sign; only the time differs between them."""

    head: bytes
    tail: bytes

    @classmethod
    def of(cls, chain_id: str, commit: Commit) -> Self:
        """The payload of precommits for the block of *commit*; for none, if it names none."""
        is_for_block = commit.block_id != _NO_BLOCK
        head = (
            varint_field(1, _PRECOMMIT)
            + sfixed64_field(2, commit.height)
            + sfixed64_field(3, commit.round)
            + (message_field(4, encode_block_id(commit.block_id)) if is_for_block else b"")
        )
        return cls(head, bytes_field(6, chain_id.encode()))

    def at(self, time: Timestamp) -> bytes:
        """The bytes that a vote of *time* (ns) signs."""
        stamp = encode_timestamp(time)
        size = len(self.head) + 2 + len(stamp) + len(self.tail)
        return b"".join(
            (encode_varint(size), self.head, _TIMESTAMP_TAG, bytes((len(stamp),)), stamp, self.tail)
        )


def sign_bytes(chain_id: str, commit: Commit, time: Timestamp) -> bytes:
    """The bytes that a vote of *time* (ns) for the block of *commit* signs, with their length.

    Source: types/vote.go, VoteSignBytes; a CanonicalVote of type precommit.
    """
    return VotePayload.of(chain_id, commit).at(time)


def revision_of(chain_id: str) -> int:
    """The revision in a chain id of the form ``{name}-{revision}``, else 0."""
    match = _REVISION.fullmatch(chain_id)
    return int(match[1]) if match else 0


def height_of(header: CometHeader) -> Height:
    """The height of *header*, in the revision of its chain id. Raises ``HeightInvalid``."""
    return Height.parse(revision_of(header.chain_id), header.height)
