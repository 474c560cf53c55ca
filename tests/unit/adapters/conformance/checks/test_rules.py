from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.conformance.check import Grade
from hub.core.errors import AnswerOverdue
from tests.harness.examined import caught, examined

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ydhub.relay.v1 import relay_pb2 as pb


async def test_a_frame_over_its_bytes_is_caught(tmp_path: Path) -> None:
    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        if len(frame.packets.packets) > 1:
            frame.packets.proof_batch = bytes(1024 * 1024)
        return (frame,)

    found = await caught(tmp_path, "frames_within_limits", "packets_shown", says=says)
    assert "1048576 bytes" in found.expected


async def test_a_header_that_comes_after_what_it_proves_is_caught(tmp_path: Path) -> None:
    held: list[pb.AdapterFrame] = []
    shown: list[int] = []

    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        if frame.HasField("headers"):
            shown.append(frame.frame_id)
            if len(shown) > 2:
                held.append(frame)
                return ()
        if frame.HasField("packets"):
            return (frame, *held)
        if frame.HasField("answer"):
            found, held[:] = list(held), []
            return (*found, frame)
        return (frame,)

    await caught(tmp_path, "headers_first", "packets_shown", says=says)


async def test_packets_that_are_shown_twice_are_caught(tmp_path: Path) -> None:
    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        return (frame, frame) if frame.HasField("packets") else (frame,)

    found = await caught(tmp_path, "shown_once", "packets_shown", says=says)
    assert found.came == "[1, 2, 3] again"


async def test_a_report_that_tells_of_something_else_is_caught(tmp_path: Path) -> None:
    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        if frame.report.executed:
            frame.report.already_done.add(first=9, last=9)
        return (frame,)

    await caught(tmp_path, "reports", "receive", says=says)


async def test_a_reason_of_the_adapters_own_is_caught(tmp_path: Path) -> None:
    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        if frame.answer.HasField("refusal"):
            frame.answer.refusal.reason = "NOT_TODAY"
        return (frame,)

    found = await caught(tmp_path, "reasons", "unknown_headers", says=says)
    assert found.came.startswith("NOT_TODAY")


async def test_an_adapter_that_hangs_up_on_a_question_is_caught(tmp_path: Path) -> None:
    def hears(frame: pb.RelayerFrame) -> pb.RelayerFrame:
        if frame.request.headers.heights:
            raise AnswerOverdue(what="patience", waited_ms=0)
        return frame

    await caught(tmp_path, "sessions_last", "unknown_headers", hears=hears)


async def test_a_rule_that_nothing_could_break_is_not_examinable(tmp_path: Path) -> None:
    async with examined(tmp_path) as city:
        assert (await city.result("shown_once")).grade is Grade.NOT_EXAMINABLE
