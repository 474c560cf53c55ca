from __future__ import annotations

import os

import pytest

from hub.cli.failure import lines, show
from hub.core.errors import PeerNotFound, Reason
from hub.wire.status import RemoteError


def test_a_failure_here_says_what_why_and_what_to_do() -> None:
    error = PeerNotFound(name="peers/x")
    error.add_note("in file.yaml")
    assert list(lines(error)) == [
        "error PEER_NOT_FOUND: peers/x is not registered",
        "  why  The named thing does not exist: check the name.",
        "  fix  see which there are: `ydhub peer list`; add it: `ydhub peer register`",
        "  note in file.yaml",
    ]


def test_a_failure_there_says_how_to_find_it_too() -> None:
    error = RemoteError(
        code="NOT_FOUND", reason=Reason.LANE_NOT_FOUND, message="no lane", request_id="r-1"
    )
    found = list(lines(error))
    assert found[0] == "error LANE_NOT_FOUND: no lane"
    assert found[-1] == "  more request r-1"


def test_a_bug_there_is_told_as_one() -> None:
    error = RemoteError(code="INTERNAL", reason=Reason.INTERNAL, message="m", request_id="r-2")
    assert list(lines(error)) == [
        "error INTERNAL: m",
        "  fix  report it with the request id; the log line of that id has the rest",
        "  more request r-2",
    ]


def test_no_connection_is_told_with_what_may_be_wrong() -> None:
    away = RemoteError(code="UNAVAILABLE", reason=None, message="Socket closed")
    (_, fix) = lines(away)
    assert "ydhub dev status" in fix
    assert "--cert" in fix
    late = RemoteError(code="DEADLINE_EXCEEDED", reason=None, message="late")
    assert "--timeout" in list(lines(late))[1]


def test_a_bug_here_leaves_its_trace(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError) as raised:
        os.environ["NO_SUCH_VARIABLE"]
    assert show(raised.value) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("error INTERNAL: KeyError: 'NO_SUCH_VARIABLE'\n")
    assert "Traceback" in told.err
