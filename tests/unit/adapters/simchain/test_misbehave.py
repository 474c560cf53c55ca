from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.simchain.messages import ReceivePackets
from adapters.simchain.misbehave import (
    Forgery,
    equivocate,
    forge_batch,
    forge_header,
    forge_packet,
    replay,
)
from adapters.simchain.queries import PREFIX, anchor_at, height_at
from hub.core.commitment import commit_packet
from hub.core.errors import (
    HeaderNotFound,
    HubError,
    NotEnoughTrust,
    ProofNotFound,
    QuorumNotReached,
    RootMismatch,
    SignatureInvalid,
    ValidatorSetMismatch,
)
from hub.core.ids import ClientId
from hub.core.paths import commitment_key
from hub.light_clients.interface import NeedsBisection, Verdict, Verified
from tests.harness.simchain import LIGHT_CLIENT, TRUST, Path, path_of

if TYPE_CHECKING:
    from adapters.simchain.blocks import LightBlock


@pytest.fixture
def path() -> Path:
    made = path_of().open()
    for _ in range(4):
        made.advance()
    return made


def judged(path: Path, trusted: int, block: LightBlock) -> Verdict:
    known = LIGHT_CLIENT.read_header(path.left.light_block(trusted).header)
    return LIGHT_CLIENT.verify_header(
        anchor_at(path.left, trusted, TRUST),
        known,
        path.left.config.schedule.at(trusted + 1).content,
        block.header,
        now=path.now,
    )


def test_equivocation_verifies_and_contradicts_the_honest_block(path: Path) -> None:
    second = equivocate(path.left, 9)
    assert isinstance(judged(path, 8, second), Verified)
    honest = LIGHT_CLIENT.read_header(path.left.light_block(9).header)
    other = LIGHT_CLIENT.read_header(second.header)
    assert honest.root != other.root
    assert LIGHT_CLIENT.find_conflict(other, [honest]) == honest


@pytest.mark.parametrize(
    ("forgery", "adjacent", "skipping"),
    [
        (Forgery.TOO_FEW, QuorumNotReached, QuorumNotReached),
        (Forgery.UNKNOWN_SET, ValidatorSetMismatch, NotEnoughTrust),
        (Forgery.WRONG_KEYS, SignatureInvalid, SignatureInvalid),
    ],
)
def test_forged_header_never_verifies(
    path: Path, forgery: Forgery, adjacent: type[HubError], skipping: type[HubError]
) -> None:
    forged = forge_header(path.left, 9, forgery)
    with pytest.raises(adjacent):
        judged(path, 8, forged)
    try:
        verdict = judged(path, 7, forged)
    except HubError as error:
        assert isinstance(error, skipping)  # noqa: PT017 - or else the shortfall below
    else:
        assert isinstance(verdict, NeedsBisection)
        assert isinstance(verdict.shortfall, skipping)


def test_misbehaviour_leaves_the_chain_as_it_was(path: Path) -> None:
    before = path.left.light_block(9)
    equivocate(path.left, 9)
    forge_header(path.left, 9, Forgery.TOO_FEW)
    assert path.left.light_block(9) == before


def test_no_block_is_forged_at_a_height_that_is_not_there(path: Path) -> None:
    with pytest.raises(HeaderNotFound):
        equivocate(path.left, path.left.height + 1)
    with pytest.raises(HeaderNotFound):
        forge_header(path.left, 0, Forgery.TOO_FEW)


def test_forged_batch_is_whole_in_form_and_proves_nothing(path: Path) -> None:
    packet = path.send(path.left)
    path.advance()
    message = path.receive(path.left, [packet])
    root = LIGHT_CLIENT.read_header(path.left.light_block(path.left.height).header).root
    key = commitment_key(packet.source_client, packet.sequence)
    forged = forge_batch(message.proof)
    assert len(forged) == len(message.proof)
    with pytest.raises(RootMismatch):
        LIGHT_CLIENT.verify_batch(root, PREFIX, [(key, commit_packet(packet))], forged)


def test_forged_packet_has_another_commitment(path: Path) -> None:
    packet = path.send(path.left)
    assert commit_packet(forge_packet(packet)) != commit_packet(packet)


def test_replay_shows_packets_as_they_were_proven_then(path: Path) -> None:
    client = path.client(path.left)
    packet = path.send(path.left)
    height = path.left.height
    path.advance()
    assert path.deliver(path.right, path.receive(path.left, [packet])).error is None
    path.advance()
    assert path.deliver(path.left, path.acknowledge(path.left, [packet])).error is None
    shown = replay(path.left, client, height)
    assert (shown.packets, shown.proof_height) == ((packet,), height + 1)
    message = ReceivePackets(
        client=path.client(path.right),
        packets=shown.packets,
        skipped=(),
        proof_height=height_at(path.left, shown.proof_height),
        proof=shown.batch.proof,
    )
    result = path.deliver(path.right, message)
    assert [outcome.effect for outcome in result.outcomes] == ["ALREADY_DONE"]


def test_block_that_sent_nothing_is_not_replayed(path: Path) -> None:
    with pytest.raises(ProofNotFound):
        replay(path.left, path.client(path.left), 3)
    with pytest.raises(ProofNotFound):
        replay(path.left, ClientId("07-tendermint-9"), path.left.height)
