from __future__ import annotations

from dataclasses import replace

import pytest
from ydhub.client.v1 import client_pb2 as pb
from ydhub.client.v1 import client_service_pb2 as service

from hub.core.accusation import AccusedSide
from hub.core.client import ChainClient, ConsensusState, Header, HubClient
from hub.core.errors import FieldInvalid, HeaderUnparseable, Reason
from hub.core.height import Height
from hub.core.ids import ChainId, ClientId, PeerId
from hub.core.time import SECOND, Timestamp
from hub.ports.clients import Evidence
from hub.wire import clients
from hub.wire.headers import header_to_proto
from tests.harness.anchors import make_anchor

ANCHOR = make_anchor()
NOW = Timestamp(1_800_000_000 * SECOND)
STATE = ConsensusState(
    height=Height(1, 120),
    header_hash=b"\x01" * 32,
    time=NOW,
    root=b"\x02" * 32,
    next_validators_hash=b"\x03" * 32,
)
CLIENT = HubClient(
    peer=PeerId("hangzhou"), anchor=ANCHOR, is_frozen=False, frozen_cause="", latest=STATE
)


def test_a_consensus_state_reads_back() -> None:
    assert clients.consensus_state_from_proto(clients.consensus_state_to_proto(STATE)) == STATE


def test_a_hub_client_shows_its_status_at_the_time() -> None:
    active = clients.hub_client_to_proto(CLIENT, NOW)
    assert (active.status, active.latest.height.number) == (pb.CLIENT_STATUS_ACTIVE, 120)
    assert active.expire_time.seconds == CLIENT.expires_at // SECOND
    late = Timestamp(CLIENT.expires_at)
    assert clients.hub_client_to_proto(CLIENT, late).status == pb.CLIENT_STATUS_EXPIRED
    pending = clients.hub_client_to_proto(replace(CLIENT, latest=None), NOW)
    assert pending.status == pb.CLIENT_STATUS_PENDING
    assert not pending.HasField("latest")
    assert not pending.HasField("expire_time")
    frozen = replace(CLIENT, is_frozen=True, frozen_cause="two headers")
    message = clients.hub_client_to_proto(frozen, NOW)
    assert (message.status, message.frozen_cause) == (pb.CLIENT_STATUS_FROZEN, "two headers")


def test_a_chain_client_shows_what_was_proven_last() -> None:
    client = ChainClient(
        peer=PeerId("suzhou"),
        client=ClientId("07-tendermint-0"),
        chain_id=ChainId("hangzhou-1"),
        latest_height=Height(1, 99),
        is_frozen=False,
        options=ANCHOR.options,
        counterparty=None,
        counterparty_prefix=(),
    )
    message = clients.chain_client_to_proto(client)
    assert message.name == "peers/suzhou/clients/07-tendermint-0"
    assert (message.latest.height.number, message.counterparty_client) == (99, "")
    bound = replace(client, is_frozen=True, counterparty=ClientId("07-tendermint-4"))
    message = clients.chain_client_to_proto(bound)
    assert message.status == pb.CLIENT_STATUS_FROZEN
    assert message.counterparty_client == "07-tendermint-4"


def test_evidence_shows_both_truths() -> None:
    evidence = Evidence(
        reason=Reason.CONSENSUS_STATE_DIFFERS,
        first=b"a",
        second=b"b",
        recorded_at=NOW,
        number=3,
    )
    message = clients.evidence_to_proto("suzhou", evidence)
    assert message.name == "peers/suzhou/client/evidence/3"
    assert (message.reason, message.first, message.second) == (
        "CONSENSUS_STATE_DIFFERS", b"a", b"b",
    )  # fmt: skip


def test_evidence_says_where_it_was_carried_and_what_leads_to_it() -> None:
    first, second = Header(content=b"a", validators=b"s"), Header(content=b"b", validators=b"s")
    evidence = Evidence(
        reason=Reason.CONSENSUS_STATE_DIFFERS,
        first=header_to_proto(first).SerializeToString(),
        second=header_to_proto(second).SerializeToString(),
        recorded_at=NOW,
        number=2,
        carried_to=((PeerId("suzhou"), ClientId("07-tendermint-0")),),
    )
    sides = (
        AccusedSide(header=first, chain=(second,), next_validators=b"one"),
        AccusedSide(header=second, chain=(first, second), next_validators=b"two"),
    )
    message = clients.evidence_bundle_to_proto("hangzhou", evidence, sides)
    assert list(message.evidence.carried_to) == ["peers/suzhou/clients/07-tendermint-0"]
    assert clients.accused_sides(message) == sides


def test_a_bundle_without_two_sides_accuses_nobody() -> None:
    with pytest.raises(FieldInvalid):
        clients.accused_sides(service.GetEvidenceResponse(next_validators=[b"one"]))
    spoiled = service.GetEvidenceResponse(next_validators=[b"one", b"two"])
    spoiled.evidence.first = b"\xff"
    with pytest.raises(HeaderUnparseable):
        clients.accused_sides(spoiled)
