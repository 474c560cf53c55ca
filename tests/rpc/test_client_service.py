from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from ydhub.client.v1 import client_pb2
from ydhub.client.v1 import client_service_pb2 as pb

from hub.core.errors import Reason
from hub.wire.anchors import anchor_to_proto
from tests.harness.exchange import ADMIN, HANGZHOU, SUZHOU
from tests.harness.hub_server import failure

if TYPE_CHECKING:
    from tests.harness.exchange import Exchange
    from tests.harness.hub_server import Stubs


async def test_a_hub_client_and_a_chain_client_are_shown(admin: Stubs, exchange: Exchange) -> None:
    mirror = await exchange.mirror(HANGZHOU)
    hub = (
        await admin.clients.GetClient(pb.GetClientRequest(name="peers/hangzhou/client"), timeout=10)
    ).client
    assert hub.chain_id == "hangzhou-1"
    assert hub.latest.height.number == exchange.path.left.height
    assert hub.expire_time.seconds - hub.latest.time.seconds == 14 * 24 * 3600
    chain = (
        await admin.clients.GetClient(pb.GetClientRequest(name=mirror.name), timeout=10)
    ).client
    assert chain.chain_id == "suzhou-1"
    assert chain.status == client_pb2.CLIENT_STATUS_ACTIVE
    assert chain.counterparty_client == mirror.counterparty


async def test_clients_are_listed_page_by_page(admin: Stubs, exchange: Exchange) -> None:
    mirror = await exchange.mirror(HANGZHOU)
    names: list[str] = []
    token = ""
    while True:
        answer = await admin.clients.ListClients(
            pb.ListClientsRequest(page_size=1, page_token=token), timeout=10
        )
        names += [client.name for client in answer.clients]
        token = answer.next_page_token
        if not token:
            break
    assert names == ["peers/hangzhou/client", mirror.name, "peers/suzhou/client"]
    narrowed = pb.ListClientsRequest(parent="peers/suzhou")
    answer = await admin.clients.ListClients(narrowed, timeout=10)
    assert [client.name for client in answer.clients] == ["peers/suzhou/client"]


async def test_a_token_of_another_list_is_refused(admin: Stubs, exchange: Exchange) -> None:
    await exchange.mirror(HANGZHOU)
    first = await admin.clients.ListClients(pb.ListClientsRequest(page_size=1), timeout=10)
    other = pb.ListClientsRequest(parent="peers/hangzhou", page_token=first.next_page_token)
    assert (
        await failure(admin.clients.ListClients(other, timeout=10))
    ).reason is Reason.PAGE_TOKEN_INVALID


async def test_a_client_is_frozen_with_its_cause(admin: Stubs) -> None:
    request = pb.FreezeClientRequest(name="peers/suzhou/client", cause="by order 7")
    answer = await admin.clients.FreezeClient(request, timeout=10)
    assert answer.client.status == client_pb2.CLIENT_STATUS_FROZEN
    assert (answer.client.frozen_cause, answer.already_done) == ("by order 7", False)
    assert (await admin.clients.FreezeClient(request, timeout=10)).already_done


async def test_evidence_is_listed(admin: Stubs, exchange: Exchange) -> None:
    evidence = (Reason.OUTCOME_DIFFERS, b"one", b"other")
    await exchange.registry.clients.freeze(SUZHOU, "two outcomes", evidence, ADMIN)
    answer = await admin.clients.ListEvidence(
        pb.ListEvidenceRequest(parent="peers/suzhou/client"), timeout=10
    )
    (found,) = answer.evidence
    assert found.name == "peers/suzhou/client/evidence/1"
    assert (found.reason, found.first, found.second) == ("OUTCOME_DIFFERS", b"one", b"other")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("peers/nowhere/client", Reason.CLIENT_NOT_FOUND),
        ("peers/hangzhou/clients/07-tendermint-99", Reason.CLIENT_NOT_FOUND),
        ("peers/hangzhou", Reason.IDENTIFIER_INVALID),
        ("peers/hangzhou/clients/x", Reason.IDENTIFIER_INVALID),
    ],
)
async def test_a_client_that_is_none_is_not_found(admin: Stubs, name: str, reason: Reason) -> None:
    request = pb.GetClientRequest(name=name)
    assert (await failure(admin.clients.GetClient(request, timeout=10))).reason is reason


@pytest.mark.parametrize(
    ("name", "cause", "reason"),
    [
        ("peers/nowhere/client", "x", Reason.CLIENT_NOT_FOUND),
        ("peers/suzhou/clients/07-tendermint-0", "x", Reason.IDENTIFIER_INVALID),
        ("peers/suzhou/client", "", Reason.FIELD_INVALID),
        ("peers/suzhou/client", "x" * 257, Reason.FIELD_INVALID),
        ("peers/suzhou/client", "a\nb", Reason.FIELD_INVALID),
    ],
)
async def test_a_freeze_needs_a_hub_client_and_a_cause(
    admin: Stubs, name: str, cause: str, reason: Reason
) -> None:
    request = pb.FreezeClientRequest(name=name, cause=cause)
    assert (await failure(admin.clients.FreezeClient(request, timeout=10))).reason is reason


async def test_clients_of_an_unknown_peer_are_not_listed(admin: Stubs) -> None:
    request = pb.ListClientsRequest(parent="peers/nowhere")
    found = await failure(admin.clients.ListClients(request, timeout=10))
    assert found.reason is Reason.PEER_NOT_FOUND
    evidence = pb.ListEvidenceRequest(parent="peers/nowhere/client")
    found = await failure(admin.clients.ListEvidence(evidence, timeout=10))
    assert found.reason is Reason.CLIENT_NOT_FOUND


async def test_a_client_is_recovered_from_a_later_anchor(admin: Stubs, exchange: Exchange) -> None:
    exchange.grow(2)
    anchor = anchor_to_proto(exchange.anchor(SUZHOU, exchange.chain(SUZHOU).height))
    request = pb.RecoverClientRequest(
        name="peers/suzhou/client", anchor=anchor, cause="mended", validate_only=True
    )
    await admin.clients.FreezeClient(
        pb.FreezeClientRequest(name="peers/suzhou/client", cause="by order 7"), timeout=10
    )
    dry = await admin.clients.RecoverClient(request, timeout=10)
    assert (dry.client.status, dry.already_done) == (client_pb2.CLIENT_STATUS_PENDING, False)
    assert (await exchange.registry.clients.hub_client(SUZHOU)).is_frozen
    request.validate_only = False
    answer = await admin.clients.RecoverClient(request, timeout=10)
    assert (answer.client.status, answer.already_done) == (
        client_pb2.CLIENT_STATUS_PENDING,
        False,
    )
    assert (await admin.clients.RecoverClient(request, timeout=10)).already_done


async def test_a_recovery_needs_an_anchor_and_a_cause(admin: Stubs, exchange: Exchange) -> None:
    name, anchor = "peers/suzhou/client", anchor_to_proto(exchange.anchor(SUZHOU))
    for request in (
        pb.RecoverClientRequest(name=name, cause="mended"),
        pb.RecoverClientRequest(name=name, anchor=anchor),
        pb.RecoverClientRequest(name="peers/suzhou/clients/x-1", anchor=anchor, cause="mended"),
    ):
        assert (await failure(admin.clients.RecoverClient(request, timeout=10))).reason


async def test_evidence_that_is_none_is_not_found(admin: Stubs) -> None:
    for name, reason in (
        ("peers/suzhou/client/evidence/1", Reason.EVIDENCE_NOT_FOUND),
        ("peers/suzhou/client/evidence/0", Reason.IDENTIFIER_INVALID),
        ("peers/suzhou/client", Reason.IDENTIFIER_INVALID),
        ("peers/wuxi/client/evidence/1", Reason.CLIENT_NOT_FOUND),
    ):
        request = pb.GetEvidenceRequest(name=name)
        assert (await failure(admin.clients.GetEvidence(request, timeout=10))).reason is reason
