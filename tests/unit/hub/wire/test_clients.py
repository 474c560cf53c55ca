from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from ydhub.client.v1 import client_pb2 as pb

from hub.core.client import ChainClient, ConsensusState, Header, HubClient
from hub.core.errors import AnchorInvalid, FieldInvalid, HeightInvalid, IdentifierInvalid, Reason
from hub.core.height import Height
from hub.core.ids import ChainId, ClientId, PeerId
from hub.core.time import SECOND, Timestamp
from hub.ports.clients import Evidence
from hub.wire import clients
from tests.harness.anchors import make_anchor

if TYPE_CHECKING:
    from collections.abc import Callable

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


def test_an_anchor_reads_back() -> None:
    assert clients.anchor_from_proto(clients.anchor_to_proto(ANCHOR), "anchor") == ANCHOR


def _no_type(anchor: pb.Anchor) -> None:
    anchor.client_type = ""


def _long_type(anchor: pb.Anchor) -> None:
    anchor.client_type = "x" * 65


def _no_chain(anchor: pb.Anchor) -> None:
    anchor.chain_id = ""


def _no_height(anchor: pb.Anchor) -> None:
    anchor.ClearField("height")


def _far_height(anchor: pb.Anchor) -> None:
    anchor.height.number = 2**63


def _zero_hash(anchor: pb.Anchor) -> None:
    anchor.next_validators_hash = bytes(32)


def _no_level(anchor: pb.Anchor) -> None:
    anchor.options.ClearField("trust_level_denominator")


def _no_options(anchor: pb.Anchor) -> None:
    anchor.ClearField("options")


def _negative_drift(anchor: pb.Anchor) -> None:
    anchor.options.max_clock_drift.nanos = -1


def _no_prefix(anchor: pb.Anchor) -> None:
    anchor.ClearField("prefix")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (_no_type, FieldInvalid),
        (_long_type, FieldInvalid),
        (_no_chain, IdentifierInvalid),
        (_no_height, HeightInvalid),
        (_far_height, HeightInvalid),
        (_zero_hash, AnchorInvalid),
        (_no_level, AnchorInvalid),
        (_no_options, AnchorInvalid),
        (_negative_drift, FieldInvalid),
        (_no_prefix, AnchorInvalid),
    ],
)
def test_an_anchor_that_starts_no_client_is_refused(
    change: Callable[[pb.Anchor], None], error: type[Exception]
) -> None:
    message = clients.anchor_to_proto(ANCHOR)
    change(message)
    with pytest.raises(error):
        clients.anchor_from_proto(message, "anchor")


def test_headers_heights_and_states_read_back() -> None:
    header = Header(content=b"content", validators=b"validators")
    assert clients.header_from_proto(clients.header_to_proto(header)) == header
    height = Height(3, 7)
    assert clients.height_from_proto(clients.height_to_proto(height)) == height
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
