from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from ydhub.relayer.v1 import relayer_pb2
from ydhub.relayer.v1 import relayer_service_pb2 as pb

from hub.core.errors import Reason
from tests.harness.hub_server import failure

if TYPE_CHECKING:
    from tests.harness.exchange import Exchange
    from tests.harness.hub_server import Stubs

NAME = "relayers/east-1"


@pytest.fixture(autouse=True)
async def east(exchange: Exchange) -> None:
    """One relayer runs."""
    await exchange.registry.relayers.begin("east-1", "127.0.0.1:9700", "1.0")


async def test_relayers_are_listed_and_shown(admin: Stubs) -> None:
    listed = await admin.relayers.ListRelayers(pb.ListRelayersRequest(), timeout=10)
    shown = await admin.relayers.GetRelayer(pb.GetRelayerRequest(name=NAME), timeout=10)
    assert [one.name for one in listed.relayers] == [NAME]
    assert shown.relayer.address == "127.0.0.1:9700"
    assert shown.relayer.state == relayer_pb2.RELAYER_STATE_ACTIVE
    assert shown.relayer.session_count == 2


async def test_a_relayer_drains_and_takes_sessions_again(admin: Stubs) -> None:
    drain = pb.DrainRelayerRequest(name=NAME, cause="repair", request_id="d1")
    answer = await admin.relayers.DrainRelayer(drain, timeout=10)
    assert answer.relayer.state == relayer_pb2.RELAYER_STATE_DRAINING
    assert not answer.already_done
    assert (await admin.relayers.DrainRelayer(drain, timeout=10)).already_done
    undrain = pb.UndrainRelayerRequest(name=NAME, cause="done")
    back = await admin.relayers.UndrainRelayer(undrain, timeout=10)
    assert back.relayer.state == relayer_pb2.RELAYER_STATE_ACTIVE
    assert not back.already_done


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("relayers/nobody", Reason.RELAYER_NOT_FOUND),
        ("east-1", Reason.IDENTIFIER_INVALID),
        ("relayers/", Reason.IDENTIFIER_INVALID),
        ("relayers/a/b", Reason.IDENTIFIER_INVALID),
    ],
)
async def test_a_name_of_none_is_told(admin: Stubs, name: str, reason: Reason) -> None:
    calls = (
        admin.relayers.GetRelayer(pb.GetRelayerRequest(name=name), timeout=10),
        admin.relayers.DrainRelayer(pb.DrainRelayerRequest(name=name, cause="x"), timeout=10),
        admin.relayers.UndrainRelayer(pb.UndrainRelayerRequest(name=name, cause="x"), timeout=10),
    )
    for call in calls:
        assert (await failure(call)).reason is reason


async def test_a_drain_needs_its_cause(admin: Stubs) -> None:
    call = admin.relayers.DrainRelayer(pb.DrainRelayerRequest(name=NAME), timeout=10)
    assert (await failure(call)).reason is Reason.FIELD_INVALID
