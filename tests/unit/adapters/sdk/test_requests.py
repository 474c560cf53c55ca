from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs
from ydhub.client.v1 import client_pb2
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.sdk.anchors import Anchors
from adapters.sdk.requests import FLOOD, MAX_ANSWER_BYTES, MAX_RUNNING, Requests
from hub.core.client import Header
from hub.core.errors import LimitExceeded
from hub.core.ids import ClientId, PeerId
from hub.core.paths import receipt_key
from hub.wire import anchor_file
from hub.wire.frames import MAX_FRAME_BYTES
from hub.wire.headers import header_to_proto, height_to_proto
from hub.wire.status import RemoteError
from tests.harness.anchors import make_anchor
from tests.harness.attached import Attached, StuckStream, cursor, headers
from tests.harness.city import BACK, CLIENT, PaperChain
from tests.harness.clock import settle
from tests.harness.cometbft import Block, anchor_of, make_chain, members, resigned

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.harness.relayer import RelayedSession


async def ask(session: RelayedSession, **body: object) -> pb.Answer:
    session.say(request=pb.Request(request_id=5, **body))  # type: ignore[arg-type]
    while True:
        frame = await session.next()
        if frame.WhichOneof("body") == "answer":
            assert frame.answer.request_id == 5
            return frame.answer
        assert frame.WhichOneof("body") == "headers"


async def test_headers_are_answered_with_each_validator_set_once(both: Attached) -> None:
    both.chain.height = 30
    session = await both.session(client_height=30)
    answer = await ask(session, headers=pb.HeaderRequest(heights=[8, 9, 10]))
    assert list(answer.headers.validator_sets) == [b"v0", b"v1"]
    assert [header.content for header in answer.headers.headers] == [b"h8", b"h9", b"h10"]
    assert [header.validator_set for header in answer.headers.headers] == [0, 0, 1]


async def test_a_header_that_is_not_there_is_refused_with_its_reason(both: Attached) -> None:
    session = await both.session()
    answer = await ask(session, headers=pb.HeaderRequest(heights=[8]))
    assert (answer.refusal.reason, answer.refusal.retryable) == ("HEADER_NOT_FOUND", False)


async def test_proofs_are_one_for_each_key(both: Attached) -> None:
    both.chain.present = {b"k1": b"value"}
    session = await both.session()
    request = pb.ProofRequest(keys=[b"k1", b"k2"], height=client_pb2.Height(number=1))
    answer = await ask(session, proofs=request)
    assert answer.proofs == pb.ProofAnswer(
        height=client_pb2.Height(number=1),
        values=[b"value", b""],
        proofs=[b"proof of k1", b"proof of k2"],
    )


async def test_a_batch_is_one_proof_and_the_newest_height_is_the_default(both: Attached) -> None:
    session = await both.session()
    both.chain.grow()
    await headers(session, 2)
    answer = await ask(session, proofs=pb.ProofRequest(keys=[b"k1", b"k2"], batch=True))
    assert list(answer.proofs.proofs) == [b"2 keys at 2"]
    assert answer.proofs.height.number == 2


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ([], "FRAME_INVALID"),
        ([b"b", b"a"], "FRAME_INVALID"),
        ([b"a", b"a"], "FRAME_INVALID"),
        ([b""], "FRAME_INVALID"),
        ([bytes(257)], "FRAME_INVALID"),
        ([b"%05d" % n for n in range(257)], "LIMIT_EXCEEDED"),
    ],
)
async def test_keys_that_break_the_rules_are_refused(
    both: Attached, keys: list[bytes], reason: str
) -> None:
    session = await both.session()
    answer = await ask(session, proofs=pb.ProofRequest(keys=keys))
    assert answer.refusal.reason == reason


async def test_an_answer_too_large_for_the_relayer_is_refused(both: Attached) -> None:
    both.chain.present = {b"k": bytes(2 * MAX_FRAME_BYTES)}
    session = await both.session()
    answer = await ask(session, proofs=pb.ProofRequest(keys=[b"k"]))
    assert answer.refusal.reason == "LIMIT_EXCEEDED"


async def test_whole_proofs_are_answered_from_the_first_on_as_far_as_there_is_room(
    both: Attached,
) -> None:
    keys = [b"k%d" % number for number in range(5)]
    both.chain.present = {key: bytes(MAX_ANSWER_BYTES // 3) for key in keys}
    session = await both.session()
    answer = await ask(session, proofs=pb.ProofRequest(keys=keys))
    assert list(answer.proofs.proofs) == [b"proof of k0", b"proof of k1"]
    assert len(answer.proofs.values) == 2
    assert answer.ByteSize() <= MAX_ANSWER_BYTES
    answer = await ask(session, proofs=pb.ProofRequest(keys=keys[2:]))
    assert list(answer.proofs.proofs) == [b"proof of k2", b"proof of k3"]


async def test_only_receipts_that_are_answered_bring_their_acknowledgements(
    both: Attached,
) -> None:
    session = await both.session(cursor(BACK, is_source=False))
    both.chain.write(range(5, 7))
    await headers(session, 2)
    frame = await session.expect("acknowledgements")
    refused = [pb.Refusal(sequence=number, reason="OUTCOME_DIFFERS") for number in (5, 6)]
    session.say(verdict=pb.Verdict(frame_id=frame.frame_id, refused=refused))
    keys = [receipt_key(CLIENT, number) for number in (5, 6)]
    both.chain.present = {key: bytes(MAX_ANSWER_BYTES // 2) for key in keys}
    await ask(session, proofs=pb.ProofRequest(keys=keys))
    frame = await session.expect("acknowledgements")
    assert list(frame.acknowledgements.sequences) == [5]


async def test_headers_are_answered_from_the_first_on_as_far_as_there_is_room(
    both: Attached, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = MAX_ANSWER_BYTES // 8

    async def found(numbers: Sequence[int]) -> tuple[Header, ...]:
        return tuple([Header(content=bytes(size), validators=b"%d" % n * size) for n in numbers])

    monkeypatch.setattr(both.chain, "headers", found)
    session = await both.session()
    answer = await ask(session, headers=pb.HeaderRequest(heights=[7, 7, 7, 8, 8, 9]))
    # Seven parts fit: five headers, and the sets of the first three and of the other two.
    assert [header.validator_set for header in answer.headers.headers] == [0, 0, 0, 1, 1]
    assert answer.ByteSize() <= MAX_ANSWER_BYTES


async def test_a_present_receipt_brings_the_acknowledgement_again(both: Attached) -> None:
    session = await both.session(cursor(BACK, is_source=False))
    both.chain.write(range(5, 6))
    await headers(session, 2)
    frame = await session.expect("acknowledgements")
    session.refuse(frame, "OUTCOME_DIFFERS", sequence=5, retryable=False)
    key = receipt_key(CLIENT, 5)
    both.chain.present = {key: b"\x02"}
    await ask(session, proofs=pb.ProofRequest(keys=[key]))
    frame = await session.expect("acknowledgements")
    assert list(frame.acknowledgements.sequences) == [5]


async def test_a_client_is_mirrored_after_the_header_that_proves_it(both: Attached) -> None:
    both.chain.existing = {CLIENT: both.chain.client(CLIENT, "suzhou-1")}
    session = await both.session()
    answer = await ask(session, client=pb.ClientQuery(client=CLIENT))
    [mirror] = answer.clients.clients
    assert (mirror.client, mirror.client_state) == (CLIENT, b"state")
    assert mirror.pending_height.number == 3
    answer = await ask(session, client=pb.ClientQuery(chain_id="suzhou-1"))
    assert len(answer.clients.clients) == 1
    answer = await ask(session, client=pb.ClientQuery(chain_id="shanghai-1"))
    assert not answer.clients.clients


async def test_a_client_is_created_from_the_operators_own_anchor(both: Attached) -> None:
    session = await both.session()
    request = pb.CreateClient(
        peer="peers/suzhou", chain_id="suzhou-1", ordered=True, opening="laneOpenings/1"
    )
    answer = await ask(session, create_client=request)
    assert [mirror.client for mirror in answer.clients.clients] == [CLIENT]
    assert both.chain.created == [(make_anchor("suzhou-1"), None, True, "laneOpenings/1")]


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (pb.CreateClient(peer="peers/shanghai", chain_id="shanghai-1"), "ANCHOR_INVALID"),
        (pb.CreateClient(peer="peers/suzhou", chain_id="suzhou-2"), "ANCHOR_MISMATCH"),
        (pb.CreateClient(peer="", chain_id="suzhou-1"), "IDENTIFIER_INVALID"),
    ],
    ids=["no anchor of its own", "another chain", "no peer"],
)
async def test_no_client_is_created_without_an_anchor_of_ones_own(
    both: Attached, request_: pb.CreateClient, reason: str
) -> None:
    session = await both.session()
    answer = await ask(session, create_client=request_)
    assert (answer.refusal.reason, answer.refusal.retryable) == (reason, False)
    assert both.chain.created == []


class TestAnchorHeader:
    """A chain that creates a client only together with the header that its anchor names."""

    @pytest.fixture
    def blocks(self, both: Attached, tmp_path: Path) -> list[Block]:
        """The other chain's blocks; the operator's anchor names the second."""
        blocks = make_chain([members(10, 10, 10, 10)] * 4)
        path = tmp_path / "suzhou.yaml"
        anchor_file.write(path, anchor_of(blocks[1]), peer=PeerId("suzhou"))
        both.chain.needs_anchor_header = True
        return blocks

    async def test_it_is_asked_for_and_then_given_to_the_chain(
        self, both: Attached, blocks: list[Block]
    ) -> None:
        session = await both.session()
        answer = await ask(session, create_client=create())
        assert answer.anchor_header_needed.height == height_to_proto(blocks[1].state.height)
        assert both.chain.created == []
        answer = await ask(session, create_client=create(blocks[1].header))
        assert [mirror.client for mirror in answer.clients.clients] == [CLIENT]
        assert both.chain.created == [(anchor_of(blocks[1]), blocks[1].state, False, "opening")]

    async def test_a_relayer_that_does_not_know_of_it_creates_nothing(
        self, both: Attached, blocks: list[Block]
    ) -> None:
        session = await both.session()
        for _ in range(2):
            answer = await ask(session, create_client=create())
            assert answer.WhichOneof("body") == "anchor_header_needed"
        assert (both.chain.created, both.chain.existing) == ([], {})
        assert blocks

    async def test_a_header_that_comes_unasked_is_checked_all_the_same(
        self, both: Attached, blocks: list[Block]
    ) -> None:
        both.chain.needs_anchor_header = False
        session = await both.session()
        answer = await ask(session, create_client=create(blocks[2].header))
        assert answer.refusal.reason == "ANCHOR_MISMATCH"
        answer = await ask(session, create_client=create(blocks[1].header))
        assert answer.WhichOneof("body") == "clients"
        assert [state for _, state, _, _ in both.chain.created] == [blocks[1].state]

    @pytest.mark.parametrize(
        ("lie", "reason"),
        [
            (lambda blocks: blocks[2].header, "ANCHOR_MISMATCH"),
            (lambda blocks: resigned(blocks[1], app_hash=bytes(32)).header, "ANCHOR_MISMATCH"),
            (
                lambda blocks: replace(blocks[1].header, validators=blocks[1].header.content),
                "HEADER_UNPARSEABLE",
            ),
            (lambda blocks: replace(blocks[1].header, content=b"\xff"), "HEADER_UNPARSEABLE"),
            (lambda _: Header(content=b"", validators=b""), "HEADER_UNPARSEABLE"),
        ],
        ids=["of another height", "of another root", "of another set", "broken", "empty"],
    )
    async def test_a_header_that_is_not_the_anchors_creates_nothing(
        self,
        both: Attached,
        blocks: list[Block],
        lie: Callable[[list[Block]], Header],
        reason: str,
    ) -> None:
        session = await both.session()
        answer = await ask(session, create_client=create(lie(blocks)))
        assert (answer.refusal.reason, answer.refusal.retryable) == (reason, False)
        assert both.chain.created == []


def create(header: Header | None = None) -> pb.CreateClient:
    found = pb.CreateClient(peer="peers/suzhou", chain_id="suzhou-1", opening="opening")
    if header is not None:
        found.anchor_header.CopyFrom(header_to_proto(header))
    return found


async def test_an_anchor_file_of_another_peer_is_refused(both: Attached, tmp_path: Path) -> None:
    anchor_file.write(tmp_path / "suzhou.yaml", make_anchor("suzhou-1"), peer=PeerId("wuxi"))
    session = await both.session()
    request = pb.CreateClient(peer="suzhou", chain_id="suzhou-1")
    answer = await ask(session, create_client=request)
    assert answer.refusal.reason == "ANCHOR_MISMATCH"


async def test_a_counterparty_is_registered_under_the_operators_own_prefix(both: Attached) -> None:
    both.chain.existing = {CLIENT: both.chain.client(CLIENT, "suzhou-1")}
    session = await both.session()
    request = pb.RegisterCounterparty(
        client=CLIENT, counterparty_client="07-tendermint-7", counterparty_prefix=[b"ibc", b""]
    )
    answer = await ask(session, register_counterparty=request)
    assert answer.WhichOneof("body") == "clients"
    assert both.chain.registered == [(CLIENT, ClientId("07-tendermint-7"), (b"ibc", b""))]


async def test_a_prefix_that_the_hub_offers_is_compared_and_never_adopted(both: Attached) -> None:
    both.chain.existing = {CLIENT: both.chain.client(CLIENT, "suzhou-1")}
    session = await both.session()
    request = pb.RegisterCounterparty(
        client=CLIENT, counterparty_client="07-tendermint-7", counterparty_prefix=[b"evil"]
    )
    answer = await ask(session, register_counterparty=request)
    assert answer.refusal.reason == "ANCHOR_MISMATCH"
    assert both.chain.registered == []


async def test_a_counterparty_on_an_unknown_chain_is_refused(both: Attached) -> None:
    both.chain.existing = {CLIENT: both.chain.client(CLIENT, "wuxi-1")}
    session = await both.session()
    request = pb.RegisterCounterparty(client=CLIENT, counterparty_client="07-tendermint-7")
    answer = await ask(session, register_counterparty=request)
    assert answer.refusal.reason == "ANCHOR_INVALID"


async def test_a_request_for_nothing_known_is_refused(both: Attached) -> None:
    session = await both.session()
    answer = await ask(session)
    assert answer.refusal.reason == "FRAME_INVALID"


async def test_a_bug_behind_a_request_fails_it_alone(both: Attached) -> None:
    session = await both.session()
    both.chain.failures = [RuntimeError("a bug")]
    answer = await ask(session, client=pb.ClientQuery(client=CLIENT))
    assert answer.refusal.reason == "INTERNAL"
    answer = await ask(session, client=pb.ClientQuery(client=CLIENT))
    assert answer.refusal.reason == "CLIENT_NOT_FOUND"


async def test_a_stream_that_ends_under_a_proofs_header_is_no_bug() -> None:
    class Ended:
        async def show_header(self, height: object) -> None:
            raise RemoteError(code="UNAVAILABLE", reason=None, message="the stream is over")

    chain = PaperChain()
    async with asyncio.TaskGroup() as tasks:
        stream, anchors = StuckStream(), Anchors.of_files({})
        requests = Requests(chain, anchors, stream, Ended(), tasks)  # type: ignore[arg-type]
        height = client_pb2.Height(revision=1, number=chain.height)
        with capture_logs() as logs:
            requests.begin(pb.Request(proofs=pb.ProofRequest(keys=[b"k1"], height=height)))
            await settle()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
    assert [(line["event"], line["log_level"]) for line in logs] == [("request_refused", "warning")]


async def test_far_more_requests_than_may_run_end_the_session() -> None:
    async with asyncio.TaskGroup() as tasks:
        stream, anchors = StuckStream(), Anchors.of_files({})
        requests = Requests(PaperChain(), anchors, stream, None, tasks)  # type: ignore[arg-type]
        for _ in range(FLOOD * MAX_RUNNING + 1):
            requests.begin(pb.Request())
        await settle()
        with pytest.raises(LimitExceeded):
            requests.begin(pb.Request())
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
