from __future__ import annotations

import pytest

from adapters.cosmos.rpc.records import REFUSED_BY_NODE
from adapters.cosmos.tx import codes
from adapters.cosmos.tx.codes import Kind, Subject, error_of, kind_of
from adapters.sdk.wire.encode import is_retryable
from hub.core.errors import Reason

ABOUT = Subject(
    chain="wuxi-1",
    client="07-tendermint-3",
    height=77,
    timeout=1_000,
    time=900,
    key="ab01",
    signer="cosmos1relayer",
    transaction="00ff",
    timeout_height=50,
    size=2_000_000,
    gas_used=5,
    gas_limit=4,
)
"""A distinct value for each field, so that it is seen where it goes."""

LISTED = sorted({*codes._ERRORS, *codes._KINDS})


@pytest.mark.parametrize(
    ("codespace", "code", "kind"),
    [
        ("sdk", 3, Kind.WRONG_SEQUENCE),
        ("sdk", 32, Kind.WRONG_SEQUENCE),
        ("sdk", 11, Kind.OUT_OF_GAS),
        ("ibc", 7, Kind.OUT_OF_GAS),
        ("channel", 22, Kind.REDUNDANT),
        ("channel", 23, Kind.REDUNDANT),
        ("channelv2", 12, Kind.REDUNDANT),
        ("sdk", 20, Kind.MEMPOOL_FULL),
        (REFUSED_BY_NODE, -32603, Kind.MEMPOOL_FULL),
        (REFUSED_BY_NODE, -1, Kind.MEMPOOL_FULL),
        ("sdk", 19, Kind.IN_MEMPOOL),
        ("sdk", 21, Kind.TOO_LARGE),
        ("sdk", 41, Kind.TOO_LARGE),
        ("sdk", 30, Kind.TIMEOUT_HEIGHT),
        ("sdk", 42, Kind.TIMEOUT_HEIGHT),
        ("sdk", 13, Kind.FEE_TOO_LOW),
        ("sdk", 4, Kind.REFUSED),
        ("sdk", 5, Kind.REFUSED),
        ("ibc", 9, Kind.REFUSED),
        ("client", 7, Kind.REFUSED),
        ("wasm", 22, Kind.REFUSED),
        ("wasm", 11, Kind.REFUSED),
        ("", 32, Kind.REFUSED),
        ("SDK", 32, Kind.REFUSED),
        ("undefined", 1, Kind.REFUSED),
    ],
)
def test_a_kind_follows_from_codespace_and_code_together(
    codespace: str, code: int, kind: Kind
) -> None:
    assert kind_of(codespace, code) is kind


@pytest.mark.parametrize(
    ("codespace", "code", "reason", "retryable"),
    [
        ("sdk", 2, Reason.TRANSACTION_REFUSED, True),
        ("sdk", 4, Reason.TRANSACTION_REFUSED, True),
        ("sdk", 5, Reason.TRANSACTION_REFUSED, True),
        ("sdk", 11, Reason.GAS_EXHAUSTED, True),
        ("sdk", 13, Reason.TRANSACTION_REFUSED, True),
        ("sdk", 19, Reason.TRANSACTION_REFUSED, True),
        ("sdk", 20, Reason.RATE_LIMITED, True),
        ("sdk", 21, Reason.PACKET_UNSUPPORTED, False),
        ("sdk", 30, Reason.TRANSACTION_LOST, True),
        ("sdk", 32, Reason.TRANSACTION_REFUSED, True),
        ("sdk", 41, Reason.GAS_EXHAUSTED, True),
        ("sdk", 42, Reason.TRANSACTION_LOST, True),
        ("undefined", 1, Reason.TRANSACTION_REFUSED, True),
        ("undefined", 111222, Reason.PACKET_UNSUPPORTED, False),
        ("ibc", 2, Reason.IDENTITY_NOT_ALLOWED, False),
        ("ibc", 7, Reason.GAS_EXHAUSTED, True),
        ("ibc", 8, Reason.TRANSACTION_REFUSED, True),
        ("ibc", 9, Reason.CONSENSUS_STATE_MISSING, True),
        ("client", 4, Reason.CLIENT_NOT_FOUND, False),
        ("client", 5, Reason.CLIENT_FROZEN, True),
        ("client", 7, Reason.CONSENSUS_STATE_MISSING, True),
        ("client", 8, Reason.ANCHOR_INVALID, False),
        ("client", 9, Reason.CLIENT_TYPE_UNKNOWN, False),
        ("client", 10, Reason.CLIENT_TYPE_UNKNOWN, False),
        ("client", 11, Reason.CONSENSUS_STATE_MISSING, True),
        ("client", 12, Reason.HEADER_UNPARSEABLE, False),
        ("client", 13, Reason.MISBEHAVIOUR_NOT_PROVEN, False),
        ("client", 18, Reason.MEMBERSHIP_NOT_PROVEN, False),
        ("client", 19, Reason.MEMBERSHIP_NOT_PROVEN, False),
        ("client", 20, Reason.NON_MEMBERSHIP_NOT_PROVEN, False),
        ("client", 29, Reason.CLIENT_FROZEN, True),
        ("client", 30, Reason.MEMBERSHIP_NOT_PROVEN, False),
        ("client", 31, Reason.NON_MEMBERSHIP_NOT_PROVEN, False),
        ("client", 32, Reason.CLIENT_TYPE_UNKNOWN, False),
        ("client", 33, Reason.CLIENT_TYPE_UNKNOWN, False),
        ("clientv2", 34, Reason.LANE_NOT_OPEN, True),
        ("clientv2", 35, Reason.LANE_NOT_OPEN, True),
        ("channel", 22, Reason.ILLEGAL_MOVE, False),
        ("channel", 23, Reason.ILLEGAL_MOVE, False),
        ("channelv2", 2, Reason.PACKET_INVALID, False),
        ("channelv2", 3, Reason.PACKET_INVALID, False),
        ("channelv2", 4, Reason.LANE_NOT_OPEN, True),
        ("channelv2", 5, Reason.PACKET_INVALID, False),
        ("channelv2", 8, Reason.TIMEOUT_INVALID, False),
        ("channelv2", 9, Reason.TIMEOUT_ELAPSED, False),
        ("channelv2", 10, Reason.TIMEOUT_NOT_REACHED, True),
        ("channelv2", 11, Reason.ILLEGAL_MOVE, False),
        ("channelv2", 12, Reason.ILLEGAL_MOVE, False),
        ("commitment", 2, Reason.MEMBERSHIP_NOT_PROVEN, False),
        ("commitment", 3, Reason.MEMBERSHIP_NOT_PROVEN, False),
        ("commitment", 4, Reason.PROOF_UNPARSEABLE, False),
        ("host", 2, Reason.PACKET_UNSUPPORTED, False),
        ("host", 4, Reason.PACKET_UNSUPPORTED, False),
        ("07-tendermint", 2, Reason.ANCHOR_INVALID, False),
        ("07-tendermint", 3, Reason.ANCHOR_INVALID, False),
        ("07-tendermint", 4, Reason.ANCHOR_INVALID, False),
        ("07-tendermint", 5, Reason.HEADER_UNPARSEABLE, False),
        ("07-tendermint", 6, Reason.HEADER_UNPARSEABLE, False),
        ("07-tendermint", 7, Reason.ANCHOR_INVALID, False),
        ("07-tendermint", 11, Reason.CLIENT_EXPIRED, True),
        ("07-tendermint", 13, Reason.ANCHOR_INVALID, False),
        ("07-tendermint", 14, Reason.VALIDATOR_SET_MISMATCH, False),
        ("07-tendermint", 15, Reason.ANCHOR_INVALID, False),
        ("transfer", 7, Reason.TRANSACTION_REFUSED, True),
        (REFUSED_BY_NODE, -32603, Reason.RATE_LIMITED, True),
    ],
)
def test_a_reason_and_whether_it_may_pass_follow_from_the_code(
    codespace: str, code: int, reason: Reason, *, retryable: bool
) -> None:
    error = error_of(codespace, code, "what the chain says", ABOUT)
    assert error.reason is reason
    assert is_retryable(error) is retryable


@pytest.mark.parametrize(("codespace", "code"), [*LISTED, ("sdk", 5), (REFUSED_BY_NODE, -1)])
def test_every_listed_code_makes_a_whole_error_whatever_is_known(codespace: str, code: int) -> None:
    for error in (error_of(codespace, code, ""), error_of(codespace, code, "text", ABOUT)):
        assert str(error)
        assert all(isinstance(value, str) for value in error.metadata.values())


@pytest.mark.parametrize(("codespace", "code"), LISTED)
def test_the_text_decides_nothing(codespace: str, code: int) -> None:
    texts = ("", "account sequence mismatch", "out of gas", "packet messages are redundant")
    assert len({error_of(codespace, code, text, ABOUT).reason for text in texts}) == 1


def test_no_kind_is_left_without_a_code() -> None:
    kinds = {kind_of(codespace, code) for codespace, code in [*LISTED, ("sdk", 5)]}
    assert kinds == set(Kind)


@pytest.mark.parametrize(
    ("codespace", "code", "told"),
    [
        ("sdk", 5, {"chain": "wuxi-1", "codespace": "sdk", "code": "5", "log": "said"}),
        ("sdk", 11, {"used": "5", "limit": "4"}),
        ("sdk", 30, {"chain": "wuxi-1", "transaction": "00ff", "height": "50"}),
        ("client", 7, {"client": "07-tendermint-3", "height": "77"}),
        ("client", 29, {"client": "07-tendermint-3", "cause": "not active: said"}),
        ("client", 4, {"name": "07-tendermint-3"}),
        ("channelv2", 9, {"timeout": "1000", "time": "900"}),
        ("channelv2", 10, {"timeout": "1000", "time": "900"}),
        ("channelv2", 8, {"timeout": "1000", "earliest": "900", "latest": "87300"}),
        ("commitment", 2, {"key": "ab01", "problem": "said"}),
        ("ibc", 2, {"identity": "cosmos1relayer", "action": "act for 07-tendermint-3: said"}),
        ("host", 2, {"chain": "wuxi-1", "problem": "said"}),
    ],
)
def test_an_error_tells_what_its_sender_knows(
    codespace: str, code: int, told: dict[str, str]
) -> None:
    assert error_of(codespace, code, "said", ABOUT).metadata == told


@pytest.mark.parametrize("code", [2, 3])
def test_a_failed_proof_of_absence_is_one_of_absence(code: int) -> None:
    error = error_of("commitment", code, "said", Subject(is_absence=True))
    assert error.reason is Reason.NON_MEMBERSHIP_NOT_PROVEN


def test_a_long_text_is_one_short_line() -> None:
    error = error_of("sdk", 5, "recovered:\nstack:\n\tgoroutine 7 " + "x" * 9_000)
    assert error.metadata["log"].startswith("recovered: stack: goroutine 7 x")
    assert len(error.metadata["log"]) == 300
