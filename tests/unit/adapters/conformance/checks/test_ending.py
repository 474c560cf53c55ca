from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.sdk.session import SILENCE
from hub.core.errors import AnswerOverdue
from hub.core.time import Duration
from tests.harness.examined import caught

if TYPE_CHECKING:
    from pathlib import Path

    from ydhub.relay.v1 import relay_pb2 as pb


async def test_an_adapter_that_does_not_leave_is_caught(tmp_path: Path) -> None:
    def hears(frame: pb.RelayerFrame) -> pb.RelayerFrame | None:
        return None if frame.HasField("drain") else frame

    assert "end of the session" in (await caught(tmp_path, "drain", hears=hears)).expected


async def test_an_adapter_that_leaves_at_once_is_caught(tmp_path: Path) -> None:
    def hears(frame: pb.RelayerFrame) -> pb.RelayerFrame | None:
        if frame.HasField("drain"):
            raise AnswerOverdue(what="patience", waited_ms=0)
        return frame

    await caught(tmp_path, "drain", hears=hears)


@pytest.mark.parametrize("factor", [10, 0])
async def test_too_much_patience_or_none_with_silence_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, factor: int
) -> None:
    monkeypatch.setattr("adapters.sdk.session.SILENCE", Duration(SILENCE * factor // 2))
    await caught(tmp_path, "silence")


async def test_an_adapter_that_speaks_any_version_is_caught(tmp_path: Path) -> None:
    def hears(frame: pb.RelayerFrame) -> pb.RelayerFrame | None:
        if frame.HasField("welcome"):
            frame.welcome.protocol_version = 1
        return frame

    await caught(tmp_path, "wrong_version", hears=hears)
