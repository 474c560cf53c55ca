from __future__ import annotations

from hashlib import sha256

import pytest

from adapters.simchain.blocks import Contents, LightBlock, make_block, sign
from adapters.simchain.queries import PREFIX
from adapters.simchain.validators import Schedule
from hub.core import merkle
from hub.core.client import Anchor, ConsensusState
from hub.core.errors import QuorumNotReached
from hub.core.ids import ChainId
from hub.core.time import SECOND, Timestamp
from hub.light_clients.cometbft.codec import encode_signature
from hub.light_clients.cometbft.header import header_hash
from hub.light_clients.cometbft.types import BlockIdFlag
from hub.light_clients.interface import NeedsBisection, Verified
from tests.harness.simchain import LIGHT_CLIENT, START, TRUST

CHAIN = ChainId("hangzhou-1")
SCHEDULE = Schedule(b"seed", 4, 10)


def blocks_of(count: int) -> list[LightBlock]:
    blocks: list[LightBlock] = []
    for number in range(count):
        contents = Contents(
            time=Timestamp(START + number * SECOND),
            transactions=[b"tx %d" % number],
            app_hash=sha256(b"state %d" % number).digest(),
            last_codes=[0, 3],
        )
        blocks.append(make_block(CHAIN, SCHEDULE, blocks[-1] if blocks else None, contents))
    return blocks


@pytest.fixture(scope="module")
def blocks() -> list[LightBlock]:
    return blocks_of(60)


def anchor_of(state: ConsensusState) -> Anchor:
    return Anchor(
        client_type="07-tendermint",
        chain_id=CHAIN,
        height=state.height,
        header_hash=state.header_hash,
        next_validators_hash=state.next_validators_hash,
        options=TRUST,
        prefix=PREFIX,
    )


def verdict(blocks: list[LightBlock], low: int, high: int) -> Verified | NeedsBisection:
    trusted = LIGHT_CLIENT.read_header(blocks[low].header)
    return LIGHT_CLIENT.verify_header(
        anchor_of(trusted),
        trusted,
        SCHEDULE.at(low + 2).content,
        blocks[high].header,
        now=Timestamp(START + 100 * SECOND),
    )


def test_every_block_verifies_after_the_one_before_it(blocks: list[LightBlock]) -> None:
    for low in range(len(blocks) - 1):
        assert isinstance(verdict(blocks, low, low + 1), Verified)
        assert LIGHT_CLIENT.links_to(blocks[low].header, blocks[low + 1].header)


def test_near_blocks_verify_by_skipping_and_far_ones_need_bisection(
    blocks: list[LightBlock],
) -> None:
    assert isinstance(verdict(blocks, 0, 8), Verified)
    assert isinstance(verdict(blocks, 0, 15), Verified)
    assert isinstance(verdict(blocks, 0, 59), NeedsBisection)


def test_some_blocks_lack_a_signature_and_most_have_all(blocks: list[LightBlock]) -> None:
    absent = [
        sum(entry.flag is BlockIdFlag.ABSENT for entry in block.signed.commit.signatures)
        for block in blocks
    ]
    assert 0 < sum(absent) < len(blocks) // 2
    assert max(absent) == 1


def test_header_says_what_the_block_and_the_state_before_it_are(blocks: list[LightBlock]) -> None:
    before, block = blocks[6], blocks[7]
    header = block.signed.header
    assert header.height == 8
    assert header.app_hash == sha256(b"state 7").digest()
    assert header.data_hash == merkle.root([sha256(b"tx 7").digest()])
    assert header.last_block_id == before.signed.commit.block_id
    assert header.last_commit_hash == merkle.root(
        [encode_signature(entry) for entry in before.signed.commit.signatures]
    )
    assert header.last_results_hash == merkle.root([b"", b"\x08\x03"])
    assert block.hash == header_hash(header)


def test_first_block_has_none_before_it(blocks: list[LightBlock]) -> None:
    header = blocks[0].signed.header
    assert header.last_block_id.hash == b""
    assert header.last_commit_hash == merkle.EMPTY_ROOT


def test_block_without_two_of_four_signatures_is_no_block(blocks: list[LightBlock]) -> None:
    block = blocks[1]
    absent = [one.address for one in block.signers.signers[:2]]
    signed = sign(block.signed.header, block.signers, absent=absent)
    trusted = LIGHT_CLIENT.read_header(blocks[0].header)
    with pytest.raises(QuorumNotReached):
        LIGHT_CLIENT.verify_header(
            anchor_of(trusted),
            trusted,
            SCHEDULE.at(2).content,
            LightBlock(signed, block.signers).header,
            now=Timestamp(START + 100 * SECOND),
        )


def test_blocks_are_the_same_every_time(blocks: list[LightBlock]) -> None:
    assert blocks_of(5) == blocks[:5]
