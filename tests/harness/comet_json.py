"""Light blocks, blocks and results in the JSON of CometBFT's RPC, as a node of 0.38 writes it."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from hub.core.time import SECOND
from hub.light_clients.cometbft.header import address
from hub.light_clients.cometbft.types import KeyKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.time import Timestamp
    from hub.light_clients.cometbft.types import BlockId, CometHeader, CommitSignature, Validator
    from tests.harness.cometbft import Block

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00")
_KEY_TYPES = {
    KeyKind.ED25519: "tendermint/PubKeyEd25519",
    KeyKind.SECP256K1: "tendermint/PubKeySecp256k1",
}


def commit_json(block: Block) -> dict[str, Any]:
    """The answer to ``commit``."""
    commit = block.signed.commit
    return {
        "signed_header": {
            "header": header_json(block.signed.header),
            "commit": {
                "height": str(commit.height),
                "round": commit.round,
                "block_id": _block_id(commit.block_id),
                "signatures": [_signature(entry) for entry in commit.signatures],
            },
        },
        "canonical": True,
    }


def validators_json(block: Block, page: int = 1, per_page: int = 100) -> dict[str, Any]:
    """The answer to ``validators``, one page of it."""
    validators = block.validators.validators
    found = validators[(page - 1) * per_page : page * per_page]
    return {
        "block_height": str(block.height),
        "validators": [_validator(one) for one in found],
        "count": str(len(found)),
        "total": str(len(validators)),
    }


def block_json(block: Block, transactions: Sequence[bytes]) -> dict[str, Any]:
    """The answer to ``block``."""
    return {
        "block_id": _block_id(block.signed.commit.block_id),
        "block": {
            "header": header_json(block.signed.header),
            "data": {"txs": [base64(one) for one in transactions]},
            "evidence": {"evidence": []},
            "last_commit": None,
        },
    }


def results_json(
    height: int, transactions: Sequence[dict[str, Any]], events: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    """The answer to ``block_results``."""
    return {
        "height": str(height),
        "txs_results": list(transactions) or None,
        "finalize_block_events": list(events) or None,
        "validator_updates": None,
        "consensus_param_updates": {"block": {"max_bytes": "22020096", "max_gas": "-1"}},
        "app_hash": "",
    }


def tx_json(**changes: Any) -> dict[str, Any]:
    """What a block made of one transaction."""
    return {
        "code": 0,
        "data": base64(b"\x12\x02hi"),
        "log": "",
        "info": "",
        "gas_wanted": "200000",
        "gas_used": "91234",
        "events": [],
        "codespace": "",
    } | changes


def event_json(kind: str, **attributes: str) -> dict[str, Any]:
    """An event."""
    pairs = [{"key": key, "value": text, "index": True} for key, text in attributes.items()]
    return {"type": kind, "attributes": pairs}


def query_json(**changes: Any) -> dict[str, Any]:
    """The answer to ``abci_query``."""
    return {
        "response": {
            "code": 0,
            "log": "",
            "info": "",
            "index": "0",
            "key": None,
            "value": None,
            "proofOps": None,
            "height": "0",
            "codespace": "",
        }
        | changes
    }


def base64(data: bytes) -> str:
    """*data* in base 64."""
    return b64encode(data).decode()


def header_json(header: CometHeader) -> dict[str, Any]:
    """A header."""
    version = {"block": str(header.block_protocol)}
    if header.app_protocol:
        version["app"] = str(header.app_protocol)
    return {
        "version": version,
        "chain_id": header.chain_id,
        "height": str(header.height),
        "time": time_json(header.time),
        "last_block_id": _block_id(header.last_block_id),
        "last_commit_hash": _hex(header.last_commit_hash),
        "data_hash": _hex(header.data_hash),
        "validators_hash": _hex(header.validators_hash),
        "next_validators_hash": _hex(header.next_validators_hash),
        "consensus_hash": _hex(header.consensus_hash),
        "app_hash": _hex(header.app_hash),
        "last_results_hash": _hex(header.last_results_hash),
        "evidence_hash": _hex(header.evidence_hash),
        "proposer_address": _hex(header.proposer_address),
    }


def time_json(time: Timestamp) -> str:
    """*time* as Go writes it: no trailing zeros, no point where nothing follows it."""
    seconds, nanos = divmod(time, SECOND)
    whole = (_EPOCH + timedelta(seconds=seconds)).isoformat()
    rest = f".{nanos:09}".rstrip("0").rstrip(".")
    return f"{whole}{rest}Z"


def _signature(entry: CommitSignature) -> dict[str, Any]:
    return {
        "block_id_flag": int(entry.flag),
        "validator_address": _hex(entry.address),
        "timestamp": time_json(entry.time),
        "signature": base64(entry.signature) if entry.signature else None,
    }


def _block_id(block_id: BlockId) -> dict[str, Any]:
    parts = {"total": block_id.parts_total, "hash": _hex(block_id.parts_hash)}
    return {"hash": _hex(block_id.hash), "parts": parts}


def _validator(validator: Validator) -> dict[str, Any]:
    key = validator.public_key
    return {
        "address": _hex(address(key)),
        "pub_key": {"type": _KEY_TYPES[key.kind], "value": base64(key.data)},
        "voting_power": str(validator.power),
        "proposer_priority": "0",
    }


def _hex(data: bytes) -> str:
    return data.hex().upper()
