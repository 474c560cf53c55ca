from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.conformance.check import Grade
from adapters.sdk.execution import Acknowledge, Execution, ExecutionResult, TimeOut
from adapters.simchain.adapter import SimchainAdapter
from tests.harness.examined import caught, examined

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ydhub.relay.v1 import relay_pb2 as pb


class Boaster(SimchainAdapter):
    """Says that packets were settled, and does nothing."""

    async def execute(self, execution: Execution) -> ExecutionResult:
        if isinstance(execution.action, Acknowledge | TimeOut):
            return ExecutionResult(executed=execution.sequences)
        return await super().execute(execution)


async def test_a_packet_with_a_forged_proof_is_caught(tmp_path: Path) -> None:
    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        if frame.HasField("packets"):
            proof = frame.packets.proof_batch
            frame.packets.proof_batch = proof[:-1] + bytes([proof[-1] ^ 1])
        return (frame,)

    await caught(tmp_path, "packets_shown", says=says)


async def test_packets_that_are_not_shown_are_caught(tmp_path: Path) -> None:
    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        return () if frame.HasField("packets") else (frame,)

    await caught(tmp_path, "packets_shown", says=says)


@pytest.mark.parametrize("item", ["acknowledge", "acknowledge_again"])
async def test_acknowledgements_that_were_not_executed_are_caught(
    tmp_path: Path, item: str
) -> None:
    found = await caught(tmp_path, item, adapter=Boaster)
    assert found.came


@pytest.mark.parametrize("item", ["error_acknowledgement", "time_out"])
async def test_a_refund_that_was_not_made_is_caught(tmp_path: Path, item: str) -> None:
    await caught(tmp_path, item, adapter=Boaster)


async def test_a_refund_before_the_timeout_is_caught(tmp_path: Path) -> None:
    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        if any(refusal.reason == "TIMEOUT_NOT_REACHED" for refusal in frame.report.refused):
            del frame.report.refused[:]
            frame.report.executed.add(first=1, last=1)
        return (frame,)

    assert "TIMEOUT_NOT_REACHED" in (await caught(tmp_path, "time_out", says=says)).expected


async def test_an_adapter_that_forgets_its_credits_is_caught(tmp_path: Path) -> None:
    def hears(frame: pb.RelayerFrame) -> pb.RelayerFrame:
        if frame.HasField("welcome"):
            frame.welcome.item_credits = 1000
        return frame

    assert "5 packets" in (await caught(tmp_path, "credits", hears=hears)).came


async def test_an_adapter_that_begins_anew_each_time_is_caught(tmp_path: Path) -> None:
    def hears(frame: pb.RelayerFrame) -> pb.RelayerFrame:
        for cursor in frame.welcome.cursors:
            del cursor.done[:]
        return frame

    def only_welcomes(frame: pb.RelayerFrame) -> pb.RelayerFrame:
        return hears(frame) if frame.HasField("welcome") else frame

    await caught(tmp_path, "shown_once", "resumption", hears=only_welcomes)


async def test_an_adapter_that_leaves_something_out_is_caught(tmp_path: Path) -> None:
    def hears(frame: pb.RelayerFrame) -> pb.RelayerFrame:
        for cursor in frame.welcome.cursors:
            if cursor.is_source and cursor.done:
                cursor.done[-1].last += 1
        return frame

    def only_welcomes(frame: pb.RelayerFrame) -> pb.RelayerFrame:
        return hears(frame) if frame.HasField("welcome") else frame

    await caught(tmp_path, "resumption", hears=only_welcomes)


async def test_tokens_that_are_lost_are_caught(tmp_path: Path) -> None:
    async with examined(tmp_path) as city:
        passed = await city.results("acknowledge", "conservation")
        assert {result.grade for result in passed.values()} == {Grade.PASSED}
        city.users.hidden = 1
        found = await city.result("conservation")
    assert found.grade is Grade.FAILED
    assert (found.expected, found.came) == ("9 units locked on the adapter's chain", "8")
