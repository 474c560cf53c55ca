from __future__ import annotations

import grpc
import pytest

from hub.cli.exit_codes import CATEGORIES, ExitCode, category_of, code_of
from hub.core.errors import (
    FieldInvalid,
    HubError,
    LeaseLost,
    PeerNotFound,
    QuorumNotReached,
    Reason,
)
from hub.wire.status import RemoteError


def test_every_reason_but_that_of_a_bug_has_a_category() -> None:
    without = {reason for reason in Reason if category_of(reason) is None}
    assert without == {Reason.INTERNAL}


def test_the_numbers_are_stable() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "OK": 0, "BUG": 1, "USAGE": 2, "MALFORMED": 3, "VERIFICATION_FAILED": 4,
        "STATE_FORBIDS": 5, "NOT_FOUND": 6, "CONFLICT": 7, "NOT_ALLOWED": 8, "UNAVAILABLE": 9,
        "LOST_RACE": 10, "CORRUPT": 11, "UNSUPPORTED": 12,
    }  # fmt: skip
    assert {category.__name__ for category in HubError.__subclasses__()} == {
        category.__name__ for category in CATEGORIES
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FieldInvalid(field="f", problem="p"), 3),
        (QuorumNotReached(signed=1, total=9, numerator=2, denominator=3), 4),
        (PeerNotFound(name="n"), 6),
        (LeaseLost(peer="p", epoch=1), 10),
        (KeyError("x"), 1),
    ],
)
def test_a_failure_here_ends_by_its_category(error: Exception, code: int) -> None:
    assert code_of(error) == code


@pytest.mark.parametrize("reason", Reason)
def test_a_failure_there_ends_as_it_would_here(reason: Reason) -> None:
    category = category_of(reason)
    expected = CATEGORIES[category] if category else ExitCode.BUG
    assert code_of(RemoteError(code="INTERNAL", reason=reason, message="")) == expected


@pytest.mark.parametrize("status", [code for code in grpc.StatusCode if code.name != "OK"])
def test_a_failure_without_a_reason_ends_by_its_grpc_code(status: grpc.StatusCode) -> None:
    code = code_of(RemoteError(code=status.name, reason=None, message=""))
    bugs = {"INTERNAL", "UNKNOWN", "CANCELLED"}
    assert (code is ExitCode.BUG) == (status.name in bugs)
