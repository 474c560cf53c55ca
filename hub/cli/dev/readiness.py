"""Whether a process of a development network answers, asked as its users would."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any, Final

os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from ydhub.simchain.v1 import simchain_service_pb2, simchain_service_pb2_grpc

from hub.wire.identity.credentials import channel_credentials

if TYPE_CHECKING:
    from ydhub.client.v1 import client_pb2

    from hub.cli.dev.layout import Layout

_CALL_S: Final = 2
_OPTIONS: Final = (("grpc.use_local_subchannel_pool", 1),)


async def hub_answers(layout: Layout, address: str) -> bool:
    """The hub serves, and its registry answers."""
    async with _channel(layout, address) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        try:
            answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=_CALL_S)
        except grpc.aio.AioRpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def relayer_answers(layout: Layout, address: str) -> bool:
    """The relayer lets a certificate of its CA in."""
    async with _channel(layout, address) as channel:
        try:
            async with asyncio.timeout(_CALL_S):
                await channel.channel_ready()
        except TimeoutError:
            return False
    return True


async def newest_anchor(layout: Layout, address: str) -> client_pb2.Anchor | None:
    """The anchor of the chain's newest block, from its own node; None while there is none."""
    async with _channel(layout, address) as channel:
        stub = simchain_service_pb2_grpc.SimchainServiceStub(channel)
        try:
            request = simchain_service_pb2.GetAnchorRequest()
            return (await stub.GetAnchor(request, timeout=_CALL_S)).anchor
        except grpc.aio.AioRpcError:
            return None


def _channel(layout: Layout, address: str) -> grpc.aio.Channel:
    credentials = channel_credentials(*layout.certificate("admin"))
    return grpc.aio.secure_channel(address, credentials, options=_OPTIONS)
