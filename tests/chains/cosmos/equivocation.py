"""What a chain's validator could sign beside the truth, made with its own key."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nacl.signing import SigningKey

from hub.core.client import Header
from hub.light_clients.cometbft.codec import decode_signed_header, encode_signed_header
from hub.light_clients.cometbft.header import VotePayload, header_hash
from hub.light_clients.cometbft.types import SignedHeader

if TYPE_CHECKING:
    from tests.chains.cosmos.node_home import ConsensusKey

OTHER_ROOT = bytes(32)


def other_truth(header: Header, key: ConsensusKey) -> Header:
    """*header* of the chain of one validator with another root, signed by that one's *key*."""
    signed = decode_signed_header(header.content)
    forged = replace(signed.header, app_hash=OTHER_ROOT)
    block_id = replace(signed.commit.block_id, hash=header_hash(forged))
    commit = replace(signed.commit, block_id=block_id)
    [vote] = commit.signatures
    payload = VotePayload.of(forged.chain_id, commit).at(vote.time)
    signature = SigningKey(key.secret[:32]).sign(payload).signature
    commit = replace(commit, signatures=(replace(vote, signature=signature),))
    content = encode_signed_header(SignedHeader(forged, commit))
    return Header(content=content, validators=header.validators)
