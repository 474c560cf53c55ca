from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.harness.examined import caught

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ydhub.relay.v1 import relay_pb2 as pb


@pytest.mark.parametrize(
    "changed",
    [
        {"chain_id": "suzhou-1"},
        {"protocol_versions": [2]},
        {"execution_credits": 0},
        {"adapter": ""},
    ],
)
async def test_a_hello_that_says_something_else_is_caught(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        if frame.HasField("hello"):
            for field, value in changed.items():
                frame.hello.ClearField(field)  # type: ignore[arg-type]
                if isinstance(value, list):
                    frame.hello.protocol_versions.extend(value)
                else:
                    setattr(frame.hello, field, value)
        return (frame,)

    await caught(tmp_path, "hello", says=says)


async def test_a_first_frame_that_is_no_hello_is_caught(tmp_path: Path) -> None:
    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        if frame.HasField("hello"):
            frame.heartbeat.SetInParent()
        return (frame,)

    assert (await caught(tmp_path, "hello", says=says)).came == "heartbeat"


async def test_an_adapter_without_heartbeats_is_caught(tmp_path: Path) -> None:
    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        return () if frame.HasField("heartbeat") else (frame,)

    await caught(tmp_path, "heartbeat", says=says)


async def test_heartbeats_without_a_pause_are_caught(tmp_path: Path) -> None:
    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        return (frame,) * 4 if frame.HasField("heartbeat") else (frame,)

    assert "a second apart" in (await caught(tmp_path, "heartbeat", says=says)).expected


async def test_an_adapter_that_shows_no_header_is_caught(tmp_path: Path) -> None:
    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        return () if frame.HasField("headers") else (frame,)

    await caught(tmp_path, "headers_shown", says=says)


async def test_an_adapter_that_begins_at_another_header_is_caught(tmp_path: Path) -> None:
    shown: list[int] = []

    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        if frame.HasField("headers"):
            shown.append(frame.frame_id)
            return () if len(shown) == 1 else (frame,)
        return (frame,)

    await caught(tmp_path, "headers_shown", says=says)


async def test_a_header_that_was_changed_is_caught(tmp_path: Path) -> None:
    shown: list[int] = []

    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        if frame.HasField("headers"):
            shown.append(frame.frame_id)
            if len(shown) == 3:
                header = frame.headers.headers[0]
                header.content = header.content[:-1] + bytes([header.content[-1] ^ 1])
        return (frame,)

    found = await caught(tmp_path, "headers_shown", "heartbeat", says=says)
    assert "SIGNATURE_INVALID" in found.came


async def test_headers_in_another_order_are_caught(tmp_path: Path) -> None:
    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        if frame.answer.HasField("headers"):
            found = list(frame.answer.headers.headers)[::-1]
            del frame.answer.headers.headers[:]
            frame.answer.headers.headers.extend(found)
        return (frame,)

    assert "in this order" in (await caught(tmp_path, "headers_on_request", says=says)).expected


async def test_headers_that_are_withheld_are_caught(tmp_path: Path) -> None:
    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        return () if frame.HasField("answer") else (frame,)

    assert "15 s" in (await caught(tmp_path, "headers_on_request", says=says)).came


@pytest.mark.parametrize("reason", ["CHAIN_UNREACHABLE", "INTERNAL"])
@pytest.mark.parametrize("item", ["unknown_headers", "unknown_request"])
async def test_a_refusal_by_another_reason_is_caught(
    tmp_path: Path, item: str, reason: str
) -> None:
    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        if frame.answer.HasField("refusal"):
            frame.answer.refusal.reason = reason
        return (frame,)

    assert reason in (await caught(tmp_path, item, says=says)).came
