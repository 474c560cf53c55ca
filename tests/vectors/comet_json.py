"""Light blocks as CometBFT's RPC and tendermint-rs write them in JSON, turned into our records.

A reader of another's format holds what it states twice against each other: an address is the one
that its key gives. What no hash covers and nothing here uses (proposer priority) is not read.

Source: CometBFT rpc/core/types; tendermint-rs, serializers.
"""

from __future__ import annotations

from typing import Any, Final

from hub.core.client import Header
from hub.light_clients.cometbft.codec import encode_signed_header, encode_validators
from hub.light_clients.cometbft.header import address
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
from tests.vectors.json_fields import from_base64, from_hex, integer, moment, text

_KEYS: Final = {
    "tendermint/PubKeyEd25519": KeyKind.ED25519,
    "tendermint/PubKeySecp256k1": KeyKind.SECP256K1,
}


def header_of(signed_header: dict[str, Any], validators: ValidatorSet) -> Header:
    """An untrusted header in our canonical bytes."""
    block = read_signed_header(signed_header)
    return Header(content=encode_signed_header(block), validators=encode_validators(validators))


def read_signed_header(value: dict[str, Any]) -> SignedHeader:
    return SignedHeader(read_header(value["header"]), read_commit(value["commit"]))


def read_header(value: dict[str, Any]) -> CometHeader:
    version = value["version"]
    return CometHeader(
        block_protocol=integer(version.get("block", 0)),
        app_protocol=integer(version.get("app") or 0),
        chain_id=text(value["chain_id"]),
        height=integer(value["height"]),
        time=moment(value["time"]),
        last_block_id=read_block_id(value.get("last_block_id")),
        last_commit_hash=from_hex(value.get("last_commit_hash")),
        data_hash=from_hex(value.get("data_hash")),
        validators_hash=from_hex(value["validators_hash"]),
        next_validators_hash=from_hex(value["next_validators_hash"]),
        consensus_hash=from_hex(value["consensus_hash"]),
        app_hash=from_hex(value["app_hash"]),
        last_results_hash=from_hex(value.get("last_results_hash")),
        evidence_hash=from_hex(value.get("evidence_hash")),
        proposer_address=from_hex(value["proposer_address"]),
    )


def read_commit(value: dict[str, Any]) -> Commit:
    return Commit(
        height=integer(value["height"]),
        round=integer(value["round"]),
        block_id=read_block_id(value["block_id"]),
        signatures=tuple(_signature(entry) for entry in value["signatures"] or ()),
    )


def read_block_id(value: dict[str, Any] | None) -> BlockId:
    """A block id; tendermint-rs names its parts otherwise, and both leave an empty one out."""
    if not value:
        return BlockId()
    parts = value.get("parts") or value.get("part_set_header") or {}
    return BlockId(
        from_hex(value.get("hash")), integer(parts.get("total", 0)), from_hex(parts.get("hash"))
    )


def read_validators(values: list[dict[str, Any]] | None, *, sort: bool = False) -> ValidatorSet:
    """A set in the order of the file, or by power and address as a set is ordered."""
    validators = [_validator(value) for value in values or ()]
    if sort:
        validators.sort(key=lambda one: (-one.power, address(one.public_key)))
    return ValidatorSet(tuple(validators))


def _validator(value: dict[str, Any]) -> Validator:
    key = PublicKey(_KEYS[value["pub_key"]["type"]], from_base64(value["pub_key"]["value"]))
    stated = from_hex(value.get("address"))
    if stated != address(key):
        raise ValueError(f"address {stated.hex()} is not the key's")
    return Validator(key, integer(value.get("voting_power", value.get("power"))))


def _signature(value: dict[str, Any]) -> CommitSignature:
    flag = BlockIdFlag(integer(value["block_id_flag"]))
    return CommitSignature(
        flag=flag,
        address=from_hex(value.get("validator_address")),
        # Only an absent entry may have no time, and its time means nothing.
        time=moment(value.get("timestamp") or ("0001-01-01T00:00:00Z" if flag == 1 else "")),
        signature=from_base64(value.get("signature")),
    )
