"""Who may call what, over the wire: every method of every service, every role."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import pytest

from hub.core.errors import Reason
from hub.server.authority import RULES
from hub.server.server import SERVICES
from hub.wire.identity.spiffe import Role
from tests.harness.hub_server import Served, failure

if TYPE_CHECKING:
    from tests.harness.exchange import Exchange

IDENTITIES = {
    Role.ADMIN: "/admins/li",
    Role.RELAYER: "/relayers/east-1",
    Role.PEER: "/peers/hangzhou",
    Role.HUB: "/hub",
}
UNARY = [
    f"/{service.full_name}/{method.name}"
    for service in SERVICES
    for method in service.methods
    if not method.server_streaming
]
SCOPED = {
    "GetPeer": {"name": "peers/{peer}"},
    "ListClients": {"parent": "peers/{peer}"},
    "GetClient": {"name": "peers/{peer}/client"},
    "ListEvidence": {"parent": "peers/{peer}/client"},
    "ListLanes": {"peer": "peers/{peer}"},
    "GetLane": {"name": "{lane}"},
    "PauseLane": {"name": "{lane}", "cause": "x"},
    "ListRoutes": {"parent": "{lane}"},
    "DrainLane": {"name": "{lane}", "cause": "work"},
    "GetEvidence": {"name": "peers/{peer}/client/evidence/1"},
    "ListPackets": {"parent": "{lane}"},
    "GetPacket": {"name": "{lane}/packets/1"},
    "ExplainPacket": {"name": "{lane}/packets/1"},
    "GetPacketProof": {"name": "{lane}/packets/1"},
}
"""How a request names what is of a peer."""


def method_of(name: str) -> Any:
    return next(
        method
        for service in SERVICES
        for method in service.methods
        if f"/{service.full_name}/{method.name}" == name
    )


async def reason_of(
    served: Served, identity: str, name: str, fields: dict[str, str], **how: Any
) -> Reason | None:
    """Why the call is refused; None if it is not refused by authority."""
    from google.protobuf.message_factory import GetMessageClass

    request = GetMessageClass(method_of(name).input_type)(**fields)
    async with served.channel(identity, **how) as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[Any, bytes] = channel.unary_unary(
            name, request_serializer=lambda message: message.SerializeToString()
        )
        try:
            await call(request, timeout=10)
        except grpc.aio.AioRpcError as error:
            from hub.wire.status import from_rpc_error

            return from_rpc_error(error).reason
    return None


@pytest.mark.parametrize("name", UNARY)
async def test_a_role_that_is_not_listed_is_refused(served: Served, name: str) -> None:
    for role, identity in IDENTITIES.items():
        reason = await reason_of(served, identity, name, {})
        if role not in RULES[name].roles:
            assert reason is Reason.IDENTITY_NOT_ALLOWED, role
        elif role is not Role.PEER:
            assert reason is not Reason.IDENTITY_NOT_ALLOWED, role


def test_every_method_that_a_peer_may_call_is_narrowed_to_its_own() -> None:
    scoped = {
        name.rpartition("/")[2]
        for name, rule in RULES.items()
        if Role.PEER in rule.roles and name.startswith("/ydhub.") and not rule.is_own
    }
    assert {verb for verb in scoped if not verb.startswith("Watch")} == set(SCOPED)
    assert all(
        rule.scope is not None or rule.is_own
        for name, rule in RULES.items()
        if Role.PEER in rule.roles and name.startswith("/ydhub.")
    )


@pytest.mark.parametrize("verb", SCOPED)
async def test_a_peer_reads_its_own_and_no_other(
    served: Served, exchange: Exchange, verb: str
) -> None:
    (name,) = [found for found in UNARY if found.endswith(f"/{verb}")]
    lane = exchange.key.name

    def fields(peer: str) -> dict[str, str]:
        return {key: text.format(peer=peer, lane=lane) for key, text in SCOPED[verb].items()}

    own = await reason_of(served, "/peers/hangzhou", name, fields("hangzhou"))
    assert own in {None, Reason.PACKET_NOT_FOUND, Reason.EVIDENCE_NOT_FOUND}
    other = await reason_of(served, "/peers/shanghai", name, fields("hangzhou"))
    assert other is Reason.IDENTITY_NOT_ALLOWED
    everything = await reason_of(served, "/peers/hangzhou", name, {})
    assert everything in {Reason.IDENTITY_NOT_ALLOWED, Reason.IDENTIFIER_INVALID}


@pytest.mark.parametrize("identity", ["/nobody/li", "/admins", "/admins/li/deputy", "/hubs/x"])
async def test_an_identity_that_is_nothing_at_the_hub_may_do_nothing(
    served: Served, identity: str
) -> None:
    for name in UNARY:
        assert await reason_of(served, identity, name, {}) is Reason.IDENTITY_NOT_ALLOWED


async def test_an_identity_of_another_trust_domain_is_no_identity(served: Served) -> None:
    for name in UNARY:
        reason = await reason_of(served, "/admins/li", name, {}, trust_domain="elsewhere")
        assert reason is Reason.CREDENTIALS_MISSING


async def test_a_method_that_does_not_exist_is_not_served(served: Served) -> None:
    async with served.channel() as channel:
        call: Any = channel.unary_unary("/ydhub.peer.v1.PeerService/DropPeer")
        assert (await failure(call(b"", timeout=10))).code == "UNIMPLEMENTED"
