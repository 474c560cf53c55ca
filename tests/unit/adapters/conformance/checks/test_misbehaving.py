from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.sdk.execution import Execution, ExecutionResult, Freeze
from adapters.simchain.adapter import SimchainAdapter
from tests.harness.examined import caught

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ydhub.relay.v1 import relay_pb2 as pb


class Deaf(SimchainAdapter):
    """Thanks for every accusation, and forgets it."""

    async def execute(self, execution: Execution) -> ExecutionResult:
        if isinstance(execution.action, Freeze):
            return ExecutionResult()
        return await super().execute(execution)


async def test_an_accusation_that_is_believed_unseen_is_caught(tmp_path: Path) -> None:
    assert "refusal" in (await caught(tmp_path, "false_accusation", adapter=Deaf)).expected


async def test_misbehaviour_that_is_forgotten_is_caught(tmp_path: Path) -> None:
    assert "frozen" in (await caught(tmp_path, "misbehaviour", adapter=Deaf)).expected


async def test_misbehaviour_that_is_refused_is_caught(tmp_path: Path) -> None:
    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        if frame.HasField("report") and not frame.report.trusted_heights:
            frame.report.refused.add(reason="MISBEHAVIOUR_NOT_PROVEN", detail="by nobody")
        return (frame,)

    assert "by nobody" in (await caught(tmp_path, "misbehaviour", says=says)).came


async def test_a_frozen_client_that_is_built_on_is_caught(tmp_path: Path) -> None:
    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        for refusal in frame.report.refused:
            if refusal.reason == "CLIENT_FROZEN":
                refusal.reason = "TIMEOUT_ELAPSED"
        return (frame,)

    def only_reports(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        return says(frame) if frame.HasField("report") else (frame,)

    assert "TIMEOUT_ELAPSED" in (await caught(tmp_path, "frozen_client", says=only_reports)).came
