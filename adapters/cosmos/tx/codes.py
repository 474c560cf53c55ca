"""What a chain means by the code with which it refuses a transaction: a closed table.

A chain names the rule that failed by a codespace and a code, and that alone is read; its text is
for people. The text holds the numbers too, so they are filled in from what the sender knows of the
transaction. A code that is not listed here, as those of applications, is ``TransactionRefused``.

What may be tried again follows from the error's category, as everywhere (``adapters/sdk/wire``).

Source: cosmos-sdk v0.53 types/errors/errors.go, x/auth/ante, baseapp; cosmossdk.io/errors abci.go
(codespace ``undefined``); ibc-go v10 modules/core/{errors,02-client,02-client/v2,04-channel,
04-channel/v2,23-commitment,24-host}, modules/light-clients/07-tendermint: errors.go of each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from adapters.cosmos.rpc.records import REFUSED_BY_NODE
from hub.core.errors import (
    AnchorInvalid,
    ClientFrozen,
    ClientNotFound,
    ClientTypeUnknown,
    ConsensusStateMissing,
    GasExhausted,
    HeaderUnparseable,
    HubError,
    IdentityNotAllowed,
    IllegalMove,
    LaneNotOpen,
    MembershipNotProven,
    MisbehaviourNotProven,
    NonMembershipNotProven,
    PacketInvalid,
    PacketUnsupported,
    ProofUnparseable,
    RateLimited,
    TimeoutElapsed,
    TimeoutInvalid,
    TimeoutNotReached,
    TransactionLost,
    TransactionRefused,
    TrustExpired,
    ValidatorSetMismatch,
)

MAX_TIMEOUT_DELTA: Final = 24 * 3600
"""Seconds that a packet's timeout may be ahead. Source: ibc-go 04-channel/v2/types/msgs.go."""

_MAX_LOG = 300
_MEMPOOL_WAIT_MS = 1000


class Kind(Enum):
    """What whoever sent a transaction does about its refusal."""

    WRONG_SEQUENCE = auto()
    """The account's sequence is another: ask for it and sign again."""
    OUT_OF_GAS = auto()
    """Sign again with more gas."""
    REDUNDANT = auto()
    """All of it had its effect before: ask the chain, and do not send it again."""
    MEMPOOL_FULL = auto()
    """Send the same again, later."""
    IN_MEMPOOL = auto()
    """It was sent before and waits: follow it."""
    TOO_LARGE = auto()
    """Split it: no transaction of this size, or of this gas, is ever taken."""
    TIMEOUT_HEIGHT = auto()
    """Its last block has passed: sign again for a later one."""
    FEE_TOO_LOW = auto()
    """Sign again with a higher fee, if the operator allows one."""
    REFUSED = auto()
    """A rule forbids it, as the error says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a transaction was about, as far as its sender knows; it fills errors, nothing else."""

    chain: str = "the chain"
    client: str = "its client"
    """The chain's own client that judges the proofs."""
    height: int = 0
    """Of the header that proofs end at, or whose update it is."""
    timeout: int = 0
    """Of the packet; seconds."""
    time: int = 0
    """Of the chain's newest block; seconds."""
    key: str = ""
    """The first whose proof is shown."""
    is_absence: bool = False
    """Proofs are shown that nothing stands there."""
    signer: str = "the signer"
    transaction: str = ""
    """Its hash."""
    timeout_height: int = 0
    size: int = 0
    """Bytes."""
    gas_used: int = 0
    gas_limit: int = 0


@dataclass(frozen=True, slots=True)
class _Answer:
    codespace: str
    code: int
    log: str
    about: Subject


_Build = Callable[[_Answer], HubError]

_UNKNOWN: Final = Subject()


def kind_of(codespace: str, code: int) -> Kind:
    """What to do about the answer (*codespace*, *code*), whose code is not 0."""
    if codespace == REFUSED_BY_NODE:
        return Kind.MEMPOOL_FULL
    return _KINDS.get((codespace, code), Kind.REFUSED)


def error_of(codespace: str, code: int, log: str, about: Subject = _UNKNOWN) -> HubError:
    """The error of the answer (*codespace*, *code*), whose code is not 0.

    *log* is what the chain says to people, and *about* what the sender knows.
    """
    build = _mempool_full if codespace == REFUSED_BY_NODE else _ERRORS.get((codespace, code))
    told = " ".join(log.split())[:_MAX_LOG] or f"rule {codespace}/{code}"
    return (build or _refused)(_Answer(codespace, code, told, about))


def _refused(answer: _Answer) -> HubError:
    return TransactionRefused(
        chain=answer.about.chain, codespace=answer.codespace, code=answer.code, log=answer.log
    )


def _out_of_gas(answer: _Answer) -> HubError:
    return GasExhausted(used=answer.about.gas_used, limit=answer.about.gas_limit)


def _mempool_full(answer: _Answer) -> HubError:
    return RateLimited(what=f"the mempool of {answer.about.chain}", wait_ms=_MEMPOOL_WAIT_MS)


def _too_large(answer: _Answer) -> HubError:
    problem = f"a transaction of {answer.about.size} bytes is too large"
    return PacketUnsupported(chain=answer.about.chain, problem=problem)


def _lost(answer: _Answer) -> HubError:
    about = answer.about
    return TransactionLost(
        chain=about.chain, transaction=about.transaction, height=about.timeout_height
    )


def _redundant(_: _Answer) -> HubError:
    return IllegalMove(state="relayed before", event="relaying again")


def _not_allowed(answer: _Answer) -> HubError:
    return IdentityNotAllowed(
        identity=answer.about.signer, action=f"act for {answer.about.client}: {answer.log}"
    )


def _client_not_found(answer: _Answer) -> HubError:
    return ClientNotFound(name=answer.about.client)


def _client_not_active(answer: _Answer) -> HubError:
    return ClientFrozen(client=answer.about.client, cause=f"not active: {answer.log}")


def _client_type(answer: _Answer) -> HubError:
    return ClientTypeUnknown(client_type=answer.about.client, known="those that the chain allows")


def _trust_expired(answer: _Answer) -> HubError:
    return TrustExpired(expires_at=0, now=answer.about.time * 1_000_000_000)


def _consensus_state_missing(answer: _Answer) -> HubError:
    return ConsensusStateMissing(client=answer.about.client, height=answer.about.height)


def _header(answer: _Answer) -> HubError:
    return HeaderUnparseable(what=f"header at {answer.about.height}", problem=answer.log)


def _validators(_: _Answer) -> HubError:
    return ValidatorSetMismatch(got="another", expected="the one that the trusted state names")


def _misbehaviour(answer: _Answer) -> HubError:
    return MisbehaviourNotProven(problem=answer.log)


def _anchor(field: str) -> _Build:
    def build(answer: _Answer) -> HubError:
        return AnchorInvalid(field=field, problem=f"is refused: {answer.log}")

    return build


def _not_bound(answer: _Answer) -> HubError:
    return LaneNotOpen(lane=answer.about.client, state="not bound to this counterparty")


def _proof(answer: _Answer) -> HubError:
    about = answer.about
    failed = NonMembershipNotProven if about.is_absence else MembershipNotProven
    return failed(key=about.key, problem=answer.log)


def _absence(answer: _Answer) -> HubError:
    return NonMembershipNotProven(key=answer.about.key, problem=answer.log)


def _proof_unparseable(answer: _Answer) -> HubError:
    return ProofUnparseable(what="proof", problem=answer.log)


def _packet(field: str) -> _Build:
    def build(answer: _Answer) -> HubError:
        return PacketInvalid(field=field, problem=f"is refused: {answer.log}")

    return build


def _unsupported(answer: _Answer) -> HubError:
    return PacketUnsupported(chain=answer.about.chain, problem=answer.log)


def _timeout_invalid(answer: _Answer) -> HubError:
    about = answer.about
    return TimeoutInvalid(
        timeout=about.timeout, earliest=about.time, latest=about.time + MAX_TIMEOUT_DELTA
    )


def _timeout_elapsed(answer: _Answer) -> HubError:
    return TimeoutElapsed(timeout=answer.about.timeout, time=answer.about.time)


def _timeout_not_reached(answer: _Answer) -> HubError:
    return TimeoutNotReached(timeout=answer.about.timeout, time=answer.about.time)


_SDK = "sdk"
_IBC = "ibc"
_CLIENT = "client"
_CLIENT_V2 = "clientv2"
_CHANNEL = "channel"
_CHANNEL_V2 = "channelv2"
_COMMITMENT = "commitment"
_HOST = "host"
_UNDEFINED = "undefined"
_TENDERMINT = "07-tendermint"

_KINDS: Final[dict[tuple[str, int], Kind]] = {
    (_SDK, 3): Kind.WRONG_SEQUENCE,  # invalid sequence
    (_SDK, 11): Kind.OUT_OF_GAS,
    (_SDK, 13): Kind.FEE_TOO_LOW,  # insufficient fee
    (_SDK, 19): Kind.IN_MEMPOOL,  # tx already in mempool
    (_SDK, 20): Kind.MEMPOOL_FULL,
    (_SDK, 21): Kind.TOO_LARGE,  # tx too large
    (_SDK, 30): Kind.TIMEOUT_HEIGHT,
    (_SDK, 32): Kind.WRONG_SEQUENCE,  # incorrect account sequence
    (_SDK, 41): Kind.TOO_LARGE,  # gas limit beyond the block's
    (_SDK, 42): Kind.TIMEOUT_HEIGHT,  # the same by time
    (_IBC, 7): Kind.OUT_OF_GAS,
    (_CHANNEL, 22): Kind.REDUNDANT,  # all packet messages are redundant
    (_CHANNEL, 23): Kind.REDUNDANT,  # no-op, as the next
    (_CHANNEL_V2, 12): Kind.REDUNDANT,
}

_ERRORS: Final[dict[tuple[str, int], _Build]] = {
    (_SDK, 11): _out_of_gas,
    (_SDK, 20): _mempool_full,
    (_SDK, 21): _too_large,
    (_SDK, 30): _lost,
    (_SDK, 41): _out_of_gas,
    (_SDK, 42): _lost,
    (_IBC, 2): _not_allowed,  # not the creator of the client, or no allowed relayer of it
    (_IBC, 7): _out_of_gas,
    (_IBC, 9): _consensus_state_missing,  # proof above the client's latest height
    (_CLIENT, 4): _client_not_found,
    (_CLIENT, 5): _client_not_active,
    (_CLIENT, 7): _consensus_state_missing,
    (_CLIENT, 8): _anchor("consensus_state"),
    (_CLIENT, 9): _client_type,
    (_CLIENT, 10): _client_type,
    (_CLIENT, 11): _consensus_state_missing,  # commitment root not found
    (_CLIENT, 12): _header,
    (_CLIENT, 13): _misbehaviour,
    (_CLIENT, 18): _proof,  # packet commitment
    (_CLIENT, 19): _proof,  # acknowledgement
    (_CLIENT, 20): _absence,  # receipt
    (_CLIENT, 29): _client_not_active,  # frozen or expired; the code does not tell which
    (_CLIENT, 30): _proof,
    (_CLIENT, 31): _absence,
    (_CLIENT, 32): _client_type,  # no light client module of this type
    (_CLIENT, 33): _client_type,
    (_CLIENT_V2, 34): _not_bound,  # to another counterparty
    (_CLIENT_V2, 35): _not_bound,  # to none
    (_CHANNEL, 22): _redundant,
    (_CHANNEL, 23): _redundant,
    (_CHANNEL_V2, 2): _packet("packet"),
    (_CHANNEL_V2, 3): _packet("payload"),
    (_CHANNEL_V2, 4): _not_bound,  # no sequence to send: bound to none
    (_CHANNEL_V2, 5): _packet("acknowledgement"),
    (_CHANNEL_V2, 8): _timeout_invalid,
    (_CHANNEL_V2, 9): _timeout_elapsed,
    (_CHANNEL_V2, 10): _timeout_not_reached,
    (_CHANNEL_V2, 11): _redundant,  # acknowledgement exists
    (_CHANNEL_V2, 12): _redundant,
    (_COMMITMENT, 2): _proof,
    (_COMMITMENT, 3): _proof,  # prefix
    (_COMMITMENT, 4): _proof_unparseable,
    (_HOST, 2): _unsupported,  # an identifier that its rules do not allow
    (_HOST, 4): _unsupported,
    (_UNDEFINED, 111222): _unsupported,  # it panicked, as it does for a port that it lacks
    (_TENDERMINT, 2): _anchor("chain_id"),
    (_TENDERMINT, 3): _anchor("trusting_period"),
    (_TENDERMINT, 4): _anchor("unbonding_period"),
    (_TENDERMINT, 5): _header,  # not above the trusted height, or of another revision
    (_TENDERMINT, 6): _header,
    (_TENDERMINT, 7): _anchor("max_clock_drift"),
    (_TENDERMINT, 11): _trust_expired,
    (_TENDERMINT, 13): _anchor("prefix"),  # proof specs
    (_TENDERMINT, 14): _validators,
    (_TENDERMINT, 15): _anchor("trust_level"),
}
