from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from adapters.simchain.adapter import SimchainAdapter
from adapters.simchain.queries import PREFIX
from tests.harness.examined import EXAMINER, caught

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ydhub.relay.v1 import relay_pb2 as pb

    from adapters.sdk.execution import Execution, ExecutionResult


async def test_an_adapter_that_takes_any_peer_for_the_examiner_is_caught(tmp_path: Path) -> None:
    def hears(frame: pb.RelayerFrame) -> pb.RelayerFrame:
        if frame.request.HasField("create_client"):
            frame.request.create_client.peer = f"peers/{EXAMINER}"
        return frame

    assert "clients" in (await caught(tmp_path, "anchors", hears=hears)).came


async def test_an_adapter_that_takes_any_chain_for_the_examiners_is_caught(tmp_path: Path) -> None:
    def hears(frame: pb.RelayerFrame) -> pb.RelayerFrame:
        if frame.request.HasField("create_client"):
            frame.request.create_client.chain_id = "ydhub-examiner-1"
        return frame

    assert "clients" in (await caught(tmp_path, "anchors", hears=hears)).came


async def test_an_adapter_that_takes_an_anchor_from_the_hub_is_caught(tmp_path: Path) -> None:
    def hears(frame: pb.RelayerFrame) -> pb.RelayerFrame:
        if frame.request.HasField("create_client"):
            frame.request.create_client.ClearField("anchor_header")
        return frame

    assert "clients" in (await caught(tmp_path, "anchor_header", hears=hears)).came


async def test_a_second_client_for_one_opening_is_caught(tmp_path: Path) -> None:
    numbers = count()

    def hears(frame: pb.RelayerFrame) -> pb.RelayerFrame:
        if frame.request.HasField("create_client"):
            frame.request.create_client.opening += f"-{next(numbers)}"
        return frame

    assert "same client" in (await caught(tmp_path, "create_client", hears=hears)).expected


async def test_a_client_that_is_not_proven_is_caught(tmp_path: Path) -> None:
    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        for client in frame.answer.clients.clients:
            client.client_state = client.client_state[:-1] + b"\x01"
        return (frame,)

    assert "MEMBERSHIP" in (await caught(tmp_path, "create_client", says=says)).came


async def test_an_adapter_that_adopts_any_prefix_is_caught(tmp_path: Path) -> None:
    def hears(frame: pb.RelayerFrame) -> pb.RelayerFrame:
        asked = frame.request.register_counterparty
        if asked.client:
            del asked.counterparty_prefix[:]
            asked.counterparty_prefix.extend(PREFIX)
        return frame

    assert "clients" in (await caught(tmp_path, "counterparty", hears=hears)).came


async def test_a_counterparty_that_is_hidden_is_caught(tmp_path: Path) -> None:
    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        for client in frame.answer.clients.clients:
            client.counterparty = client.counterparty_proof = b""
        return (frame,)

    assert (await caught(tmp_path, "counterparty", says=says)).came == "none"


async def test_clients_that_are_not_found_by_their_chain_are_caught(tmp_path: Path) -> None:
    def hears(frame: pb.RelayerFrame) -> pb.RelayerFrame:
        if frame.request.client.chain_id:
            frame.request.client.chain_id = "nobody-1"
        return frame

    assert (await caught(tmp_path, "client_mirror", hears=hears)).came == "[]"


async def test_an_empty_answer_for_an_unknown_client_is_caught(tmp_path: Path) -> None:
    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        if frame.answer.refusal.reason == "CLIENT_NOT_FOUND":
            frame.answer.clients.SetInParent()
        return (frame,)

    assert "CLIENT_NOT_FOUND" in (await caught(tmp_path, "client_mirror", says=says)).expected


async def test_a_report_without_trusted_heights_is_caught(tmp_path: Path) -> None:
    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        del frame.report.trusted_heights[:]
        return (frame,)

    def only_reports(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        return says(frame) if frame.HasField("report") else (frame,)

    found = await caught(tmp_path, "update_client", says=only_reports)
    assert "trusted height" in found.expected


async def test_a_chain_that_was_never_updated_is_caught(tmp_path: Path) -> None:
    class Idle(SimchainAdapter):
        calls = 0

        async def execute(self, execution: Execution) -> ExecutionResult:
            result = await super().execute(execution)
            self.calls += 1
            return result

        async def clients(self, client, chain_id):  # type: ignore[no-untyped-def]
            found = await super().clients(client, chain_id)
            self.first = getattr(self, "first", found)
            return self.first if self.calls > 1 and client else found

    assert "latest height" in (await caught(tmp_path, "update_client", adapter=Idle)).expected


async def test_an_adapter_that_calls_everything_executed_is_caught(tmp_path: Path) -> None:
    def says(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
        if frame.HasField("report"):
            del frame.report.refused[:]
        return (frame,)

    assert "forged" in (await caught(tmp_path, "forged_header", says=says)).expected
