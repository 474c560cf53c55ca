from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.sdk.execution import Execution, ExecutionResult, Receive, Refused
from adapters.simchain.adapter import SimchainAdapter
from tests.harness.examined import caught

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ydhub.relay.v1 import relay_pb2 as pb


class Boaster(SimchainAdapter):
    """Says that packets were received, and does nothing."""

    async def execute(self, execution: Execution) -> ExecutionResult:
        if isinstance(execution.action, Receive):
            return ExecutionResult(executed=execution.sequences)
        return await super().execute(execution)


def boasts(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
    """What was done before, or refused, was executed now."""
    report = frame.report
    report.executed.extend(report.already_done)
    del report.already_done[:]
    return (frame,)


async def test_packets_that_were_not_received_are_caught(tmp_path: Path) -> None:
    found = await caught(tmp_path, "receive", adapter=Boaster)
    assert (found.expected, found.came) == ("9 units at the receiver", "0")


async def test_packets_that_are_executed_twice_by_the_report_are_caught(tmp_path: Path) -> None:
    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        return boasts(frame) if frame.HasField("report") else (frame,)

    found = await caught(tmp_path, "receive_again", says=says)
    assert "1-3 executed" in found.came


async def test_acknowledgements_that_are_not_shown_are_caught(tmp_path: Path) -> None:
    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        return () if frame.HasField("acknowledgements") else (frame,)

    await caught(tmp_path, "acknowledgements_shown", says=says)


async def test_acknowledgements_that_say_something_else_are_caught(tmp_path: Path) -> None:
    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        answers = frame.acknowledgements.acknowledgements
        for at in range(len(answers)):
            answers[at] = answers[at].replace(b"AQ==", b"Ag==")
        return (frame,)

    def only_answers(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        return says(frame) if frame.HasField("acknowledgements") else (frame,)

    await caught(tmp_path, "acknowledgements_shown", says=only_answers)
    await caught(tmp_path / "again", "batches_verify", "acknowledgements_shown", says=only_answers)


async def test_a_forged_proof_that_has_an_effect_is_caught(tmp_path: Path) -> None:
    class Trusting(SimchainAdapter):
        async def execute(self, execution: Execution) -> ExecutionResult:
            result = await super().execute(execution)
            if result.refused and isinstance(execution.action, Receive):
                return ExecutionResult(executed=execution.sequences)
            return result

    found = await caught(tmp_path, "forged_proof", adapter=Trusting)
    assert "executed" in found.came


async def test_a_late_packet_that_is_received_is_caught(tmp_path: Path) -> None:
    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        for refusal in frame.report.refused:
            frame.report.executed.add(first=refusal.sequence, last=refusal.sequence)
        if frame.HasField("report"):
            del frame.report.refused[:]
        return (frame,)

    await caught(tmp_path, "late_packet", says=says)


async def test_a_late_packet_that_is_refused_for_no_reason_is_caught(tmp_path: Path) -> None:
    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        for refusal in frame.report.refused:
            refusal.reason = "FIELD_INVALID"
        return (frame,)

    def only_reports(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        return says(frame) if frame.HasField("report") else (frame,)

    assert "FIELD_INVALID" in (await caught(tmp_path, "late_packet", says=only_reports)).came


async def test_a_late_packet_that_drags_others_along_is_caught(tmp_path: Path) -> None:
    class AllOrNothing(SimchainAdapter):
        async def execute(self, execution: Execution) -> ExecutionResult:
            result = await super().execute(execution)
            if not result.refused or not result.executed:
                return result
            both = [
                *result.refused,
                *[Refused(n, result.refused[0].error) for n in result.executed],
            ]
            return ExecutionResult(refused=tuple(both))

    found = await caught(tmp_path, "late_among_others", adapter=AllOrNothing)
    assert "3 refused" in found.came


async def test_a_late_packet_that_stops_what_comes_after_it_is_caught(tmp_path: Path) -> None:
    class TooStrict(SimchainAdapter):
        async def execute(self, execution: Execution) -> ExecutionResult:
            result = await super().execute(execution)
            if not execution.in_order or not result.refused:
                return result
            after = [Refused(n, result.refused[0].error) for n in result.executed]
            return ExecutionResult(refused=(*result.refused, *after))

    found = await caught(tmp_path, "late_among_others", adapter=TooStrict)
    assert "4 refused" in found.came
