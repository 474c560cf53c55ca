"""The answers of CometBFT's RPC: the fields that are used, and no others.

Numbers of 64 bits are texts, hashes hex, bytes base 64; a list without elements is null. Fields
that Go leaves out when empty have defaults here.

Source: CometBFT 0.38 rpc/core/types/responses.go, types/{block,validator}.go, libs/json;
abci/types/types.go (jsonpb with defaults written out).
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from adapters.cosmos.rpc.endpoint import Method

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
UInt64 = Annotated[int, msgspec.Meta(ge=0)]
UInt32 = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]

_MEBIBYTE: Final = 1024 * 1024


class NodeInfo(msgspec.Struct, frozen=True, gc=False):
    """Who the node is."""

    network: str


class SyncInfo(msgspec.Struct, frozen=True, gc=False):
    """Where the node stands."""

    latest_block_height: Int64
    earliest_block_height: Int64
    catching_up: bool


class StatusAnswer(msgspec.Struct, frozen=True):
    """The answer to ``status``."""

    node_info: NodeInfo
    sync_info: SyncInfo


class VersionAnswer(msgspec.Struct, frozen=True, gc=False):
    """Versions of block and application; 0 is left out."""

    block: UInt64 = 0
    app: UInt64 = 0


class PartsAnswer(msgspec.Struct, frozen=True, gc=False):
    """A part set header."""

    total: UInt32 = 0
    hash: str = ""


class BlockIdAnswer(msgspec.Struct, frozen=True):
    """A block id; empty before the first block."""

    hash: str = ""
    parts: PartsAnswer = PartsAnswer()


class HeaderAnswer(msgspec.Struct, frozen=True):
    """A header, as the light client hashes it."""

    version: VersionAnswer
    chain_id: str
    height: Int64
    time: str
    last_block_id: BlockIdAnswer
    last_commit_hash: str
    data_hash: str
    validators_hash: str
    next_validators_hash: str
    consensus_hash: str
    app_hash: str
    last_results_hash: str
    evidence_hash: str
    proposer_address: str


class SignatureAnswer(msgspec.Struct, frozen=True, gc=False):
    """One entry of a commit."""

    block_id_flag: UInt32
    validator_address: str = ""
    timestamp: str = "0001-01-01T00:00:00Z"
    signature: bytes | None = None


class CommitBody(msgspec.Struct, frozen=True):
    """A commit."""

    height: Int64
    round: Int64
    block_id: BlockIdAnswer
    signatures: tuple[SignatureAnswer, ...] | None


class SignedHeaderAnswer(msgspec.Struct, frozen=True):
    """A header and the commit for it."""

    header: HeaderAnswer
    commit: CommitBody


class CommitAnswer(msgspec.Struct, frozen=True):
    """The answer to ``commit``."""

    signed_header: SignedHeaderAnswer


class PublicKeyAnswer(msgspec.Struct, frozen=True, gc=False):
    """A key, named by its kind."""

    type: str
    value: bytes


class ValidatorAnswer(msgspec.Struct, frozen=True):
    """One validator of a set."""

    pub_key: PublicKeyAnswer
    voting_power: Int64


class ValidatorsAnswer(msgspec.Struct, frozen=True):
    """The answer to ``validators``: one page of them, in the order of the set."""

    total: Int64
    validators: tuple[ValidatorAnswer, ...] | None


class BlockData(msgspec.Struct, frozen=True):
    """Transactions of a block."""

    txs: tuple[bytes, ...] | None = None


class BlockBody(msgspec.Struct, frozen=True):
    """A block."""

    header: HeaderAnswer
    data: BlockData


class BlockAnswer(msgspec.Struct, frozen=True):
    """The answer to ``block``."""

    block_id: BlockIdAnswer
    block: BlockBody | None


class Attribute(msgspec.Struct, frozen=True, gc=False):
    """One attribute of an event."""

    key: str = ""
    value: str = ""


class EventAnswer(msgspec.Struct, frozen=True, gc=False):
    """An event."""

    type: str
    attributes: msgspec.Raw = msgspec.Raw(b"null")
    """Read only of the kinds that are wanted: one block has tens of thousands of events."""


class TxAnswer(msgspec.Struct, frozen=True):
    """What a block made of one transaction."""

    code: UInt32 = 0
    data: bytes | None = None
    log: str = ""
    gas_wanted: Int64 = 0
    gas_used: Int64 = 0
    events: tuple[EventAnswer, ...] | None = None
    codespace: str = ""


class BlockResultsAnswer(msgspec.Struct, frozen=True):
    """The answer to ``block_results``."""

    height: Int64
    txs_results: tuple[TxAnswer, ...] | None
    finalize_block_events: tuple[EventAnswer, ...] | None = None


class ProofOp(msgspec.Struct, frozen=True, gc=False):
    """One link of a proof."""

    type: str
    data: bytes


class ProofOps(msgspec.Struct, frozen=True):
    """A proof, from the value upwards."""

    ops: tuple[ProofOp, ...] | None = None


class QueryBody(msgspec.Struct, frozen=True):
    """What the application answers."""

    code: UInt32 = 0
    log: str = ""
    key: bytes | None = None
    value: bytes | None = None
    proof_ops: ProofOps | None = msgspec.field(name="proofOps", default=None)
    height: Int64 = 0
    codespace: str = ""


class QueryAnswer(msgspec.Struct, frozen=True):
    """The answer to ``abci_query``."""

    response: QueryBody


class BroadcastAnswer(msgspec.Struct, frozen=True, gc=False):
    """The answer to ``broadcast_tx_sync``."""

    code: UInt32
    hash: str
    log: str = ""
    codespace: str = ""


STATUS: Final = Method("status", StatusAnswer, _MEBIBYTE)
COMMIT: Final = Method("commit", CommitAnswer, _MEBIBYTE)
VALIDATORS: Final = Method("validators", ValidatorsAnswer, _MEBIBYTE)
BLOCK: Final = Method("block", BlockAnswer, 64 * _MEBIBYTE)
BLOCK_RESULTS: Final = Method("block_results", BlockResultsAnswer, 64 * _MEBIBYTE)
ABCI_QUERY: Final = Method("abci_query", QueryAnswer, 4 * _MEBIBYTE)
BROADCAST: Final = Method("broadcast_tx_sync", BroadcastAnswer, _MEBIBYTE)
