from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import pytest
from ydhub.simchain.v1 import simchain_service_pb2 as pb
from ydhub.simchain.v1 import simchain_service_pb2_grpc as service

from hub.cli.dev import readiness
from hub.cli.dev.layout import Layout
from hub.core.errors import RegistryUnreachable
from hub.registry.memory import MemoryRegistry
from hub.wire.anchors import anchor_to_proto
from tests.harness.anchors import make_anchor
from tests.harness.hub_server import serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.harness.hub_server import Served

NOWHERE = "127.0.0.1:1"


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serve(MemoryRegistry(), tmp_path / "made") as found:
        yield found


@pytest.fixture
def layout(served: Served, tmp_path: Path) -> Layout:
    found = Layout(tmp_path / "net")
    sources = served.certificates.files("/admins/dev")
    for source, target in zip(sources, found.certificate("admin"), strict=True):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    return found


async def test_a_hub_answers_when_its_registry_does(
    served: Served, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await readiness.hub_answers(layout, served.address)
    assert not await readiness.hub_answers(layout, NOWHERE)

    async def ready() -> None:
        raise RegistryUnreachable(problem="refused")

    monkeypatch.setattr(served.server.health._hub.registry.audit, "ready", ready)
    await served.server.health.ask_registry()
    assert not await readiness.hub_answers(layout, served.address)


async def test_a_relayer_answers_when_it_shakes_hands(
    served: Served, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await readiness.relayer_answers(layout, served.address)
    monkeypatch.setattr(readiness, "_CALL_S", 0.3)
    assert not await readiness.relayer_answers(layout, NOWHERE)


class Node(service.SimchainServiceServicer):
    """A chain that has a block."""

    SendTransfer: Any = None
    GetLedger: Any = None
    Misbehave: Any = None
    FollowBlocks: Any = None
    SubmitTransaction: Any = None

    async def GetAnchor(  # noqa: N802
        self, request: pb.GetAnchorRequest, context: Any
    ) -> pb.GetAnchorResponse:
        return pb.GetAnchorResponse(anchor=anchor_to_proto(make_anchor()))


async def test_a_chain_answers_when_it_has_an_anchor(served: Served, layout: Layout) -> None:
    server = grpc.aio.server()
    service.add_SimchainServiceServicer_to_server(Node(), server)
    port = server.add_secure_port("127.0.0.1:0", served.certificates.server())
    await server.start()
    found = await readiness.newest_anchor(layout, f"127.0.0.1:{port}")
    await server.stop(None)
    assert found == anchor_to_proto(make_anchor())
    assert await readiness.newest_anchor(layout, served.address) is None
