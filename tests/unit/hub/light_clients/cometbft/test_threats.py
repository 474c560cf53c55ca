from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hub.core.errors import (
    ChainIdMismatch,
    CommitMismatch,
    HeaderFromFuture,
    HeaderUnparseable,
    HeightInvalid,
    HeightNotIncreasing,
    HubError,
    ProtocolVersionMismatch,
    QuorumNotReached,
    Reason,
    SignatureInvalid,
    SignerDuplicate,
    SignerUnknown,
    TimeNotIncreasing,
    ValidatorSetMismatch,
    VerificationFailed,
    VotingPowerInvalid,
)
from hub.core.time import SECOND, Timestamp
from hub.light_clients.cometbft.header import validators_hash
from hub.light_clients.cometbft.types import BlockId, BlockIdFlag, ValidatorSet
from hub.light_clients.interface import NeedsBisection
from tests.harness.cometbft import (
    ABSENT,
    DRIFT,
    Block,
    CountedSignatures,
    anchor_of,
    flip_bit,
    judge,
    make_block,
    make_chain,
    make_header,
    members,
    resigned,
    with_commit,
    with_entry,
    with_header,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.core.client import Header
    from hub.light_clients.interface import Verdict

GROUP = members(10, 10, 10, 10)
TRUSTED, NEXT, FAR = make_chain([GROUP] * 3)
NOW = Timestamp(FAR.time + SECOND)


def verify(block: Block | Header, trusted: Block = TRUSTED, **how: Any) -> Verdict:
    return judge(block, trusted, **({"now": NOW} | how))


def _signed_by(group: Any, block: Block = FAR, **votes: Any) -> Block:
    """The place of *block* in the chain, taken by *group*."""
    header = make_header(
        group,
        group,
        height=block.height,
        time=block.time,
        last_block_id=block.signed.header.last_block_id,
    )
    return make_block(header, group, group, **votes)


def _disordered() -> Block:
    """A set whose members stand in another order, in the header's hash and in the commit too."""
    backwards = ValidatorSet(tuple(reversed(NEXT.validators.validators)))
    header = replace(NEXT.signed.header, validators_hash=validators_hash(backwards))
    block = make_block(header, GROUP, GROUP)
    entries = tuple(reversed(block.signed.commit.signatures))
    return replace(with_commit(block, signatures=entries), validators=backwards)


def _swapped_entries() -> Block:
    first, second, *rest = NEXT.signed.commit.signatures
    return with_commit(NEXT, signatures=(second, first, *rest))


def _someone_elses_signature() -> Block:
    return with_entry(NEXT, 0, signature=NEXT.signed.commit.signatures[1].signature)


OTHER = bytes(31) + b"\x01"
POWER_LIMIT = (2**63 - 1) // 8

THREATS: dict[str, tuple[Callable[[], Block | Header], type[HubError]]] = {
    # Another chain, another rule book.
    "of another chain": (lambda: resigned(NEXT, chain_id="suzhou-2"), ChainIdMismatch),
    "of an older block protocol": (
        lambda: resigned(NEXT, block_protocol=10),
        ProtocolVersionMismatch,
    ),
    "of a newer block protocol": (
        lambda: resigned(NEXT, block_protocol=12),
        ProtocolVersionMismatch,
    ),
    "of a revision beyond 64 bits": (lambda: resigned(NEXT, chain_id=f"c-{2**63}"), HeightInvalid),
    # Time and height.
    "of the trusted height": (lambda: TRUSTED, HeightNotIncreasing),
    "at the trusted time": (lambda: resigned(NEXT, time=TRUSTED.time), TimeNotIncreasing),
    "before the trusted time": (lambda: resigned(NEXT, time=TRUSTED.time - 1), TimeNotIncreasing),
    "from the future": (lambda: resigned(NEXT, time=NOW + DRIFT), HeaderFromFuture),
    # The set.
    "with a set that its hash does not name": (
        lambda: replace(NEXT, validators=_signed_by(members(10, 10, 10, 11)).validators),
        ValidatorSetMismatch,
    ),
    "next, signed by another set": (
        lambda: _signed_by(members(10, 10, 10, 11), NEXT),
        ValidatorSetMismatch,
    ),
    "next, signed by a set with one more validator": (
        lambda: _signed_by((*GROUP, *members(1, first=9)), NEXT),
        ValidatorSetMismatch,
    ),
    "with a validator twice in its set": (
        lambda: _signed_by((*GROUP, GROUP[0])),
        SignerDuplicate,
    ),
    "with a validator twice in its set at two powers": (
        lambda: _signed_by((*GROUP, replace(GROUP[0], power=5))),
        SignerDuplicate,
    ),
    "with a validator without power": (
        lambda: _signed_by(members(10, 10, 10, 0)),
        VotingPowerInvalid,
    ),
    "with a validator of negative power": (
        lambda: _signed_by(members(10, 10, 10, -1)),
        VotingPowerInvalid,
    ),
    "with too much power in all": (
        lambda: _signed_by(members(10, 10, 10, POWER_LIMIT - 29)),
        VotingPowerInvalid,
    ),
    "with its set out of order": (_disordered, HeaderUnparseable),
    # The commit is for this header.
    "with a commit of another height": (
        lambda: with_commit(NEXT, height=NEXT.height + 1),
        CommitMismatch,
    ),
    "with a commit for another block": (
        lambda: with_commit(NEXT, block_id=FAR.signed.commit.block_id),
        CommitMismatch,
    ),
    "with a commit for no block": (lambda: with_commit(NEXT, block_id=BlockId()), CommitMismatch),
    "with one commit entry too few": (
        lambda: with_commit(NEXT, signatures=NEXT.signed.commit.signatures[:-1]),
        CommitMismatch,
    ),
    "with one commit entry too many": (
        lambda: with_commit(NEXT, signatures=(*NEXT.signed.commit.signatures, ABSENT)),
        CommitMismatch,
    ),
    # Each field of a header that was signed once.
    "with another app hash": (lambda: with_header(NEXT, app_hash=OTHER), CommitMismatch),
    "with another time": (lambda: with_header(NEXT, time=NEXT.time + 1), CommitMismatch),
    "with another height": (lambda: with_header(NEXT, height=NEXT.height + 1), CommitMismatch),
    "with another set for the next block": (
        lambda: with_header(NEXT, next_validators_hash=OTHER),
        CommitMismatch,
    ),
    "with another parent": (
        lambda: with_header(NEXT, last_block_id=BlockId(OTHER)),
        CommitMismatch,
    ),
    "with another proposer": (
        lambda: with_header(NEXT, proposer_address=bytes(20)),
        CommitMismatch,
    ),
    "with another app protocol": (lambda: with_header(NEXT, app_protocol=2), CommitMismatch),
    # Who signed.
    "with two entries swapped": (_swapped_entries, SignerUnknown),
    "with a stranger's address": (lambda: with_entry(NEXT, 0, address=bytes(20)), SignerUnknown),
    "with a stranger's address on a vote for nothing": (
        lambda: with_entry(NEXT, 0, flag=BlockIdFlag.NIL, address=bytes(20)),
        SignerUnknown,
    ),
    "with a flipped bit in a signature": (
        lambda: with_entry(NEXT, 3, signature=flip_bit(NEXT.signed.commit.signatures[3].signature)),
        SignatureInvalid,
    ),
    "skipping, with a bad signature beyond the quorum": (
        lambda: with_entry(FAR, 3, signature=bytes(64)),
        SignatureInvalid,
    ),
    "with another validator's signature": (_someone_elses_signature, SignatureInvalid),
    "with another time on a vote": (
        lambda: with_entry(NEXT, 0, time=NEXT.time + 99),
        SignatureInvalid,
    ),
    "with a vote for nothing that claims to be for the block": (
        lambda: with_entry(
            _signed_by(GROUP, NEXT, nil=(0,)),
            next(i for i, m in enumerate(NEXT.group) if m.seed == 0),
            flag=BlockIdFlag.COMMIT,
        ),
        SignatureInvalid,
    ),
    "with another round": (lambda: with_commit(NEXT, round=1), SignatureInvalid),
    "with another part count": (
        lambda: with_commit(NEXT, block_id=replace(NEXT.signed.commit.block_id, parts_total=2)),
        SignatureInvalid,
    ),
    "with another part hash": (
        lambda: with_commit(NEXT, block_id=replace(NEXT.signed.commit.block_id, parts_hash=OTHER)),
        SignatureInvalid,
    ),
    "next, signed by half": (lambda: resigned(NEXT, absent=(0, 1)), QuorumNotReached),
    "skipping, signed by half": (lambda: resigned(FAR, absent=(0, 1)), QuorumNotReached),
    "next, all absent": (lambda: resigned(NEXT, absent=range(4)), QuorumNotReached),
    "signed by enough, but half of them for nothing": (
        lambda: _signed_by(GROUP, NEXT, nil=(0, 1)),
        QuorumNotReached,
    ),
}


@pytest.mark.parametrize("name", THREATS)
def test_header_is_refused(name: str) -> None:
    tamper, error = THREATS[name]
    tampered = tamper()
    with pytest.raises(error) as caught:
        verify(tampered)
    assert type(caught.value) is error


def test_every_reason_to_refuse_a_header_is_among_the_threats() -> None:
    told = {error.reason for _, error in THREATS.values()}
    # These need another trusted state, or two headers, and have tests of their own.
    told |= {Reason.ANCHOR_MISMATCH, Reason.NOT_ENOUGH_TRUST, Reason.MISBEHAVIOUR_NOT_PROVEN}
    verification = {error.reason for error in VerificationFailed.__subclasses__()}
    of_proofs = {
        Reason.ROOT_MISMATCH,
        Reason.PROOF_SPEC_VIOLATED,
        Reason.MEMBERSHIP_NOT_PROVEN,
        Reason.NON_MEMBERSHIP_NOT_PROVEN,
        Reason.PROOF_BATCH_INVALID,
    }
    assert verification - of_proofs <= told


def test_every_flipped_bit_of_a_header_with_the_least_quorum_is_refused() -> None:
    group = members(10, 10, 10)
    trusted, following = make_chain([group] * 2, chain_id="c-1")
    anchor = anchor_of(trusted)
    header = following.header
    for field in ("content", "validators"):
        data = getattr(header, field)
        for at in range(len(data)):
            for bit in range(8):
                changed = bytearray(data)
                changed[at] ^= 1 << bit
                with pytest.raises(HubError):
                    verify(replace(header, **{field: bytes(changed)}), trusted, anchor=anchor)


def test_skip_of_which_a_bit_is_flipped_is_never_verified() -> None:
    group = members(10, 10, 10)
    trusted, _, far = make_chain([group] * 3)
    anchor = anchor_of(trusted)
    data = far.header.content
    for at in range(len(data)):
        tampered = replace(far.header, content=flip_bit(data, at))
        try:
            verdict = verify(tampered, trusted, anchor=anchor)
        except HubError:
            continue
        assert isinstance(verdict, NeedsBisection)


def test_no_signature_is_verified_before_everything_cheaper_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted = CountedSignatures(monkeypatch)
    dear = (SignatureInvalid, QuorumNotReached)
    for tamper, error in THREATS.values():
        if error not in dear:
            with pytest.raises(error):
                verify(tamper())
    with pytest.raises(QuorumNotReached):
        verify(resigned(NEXT, absent=(0, 1)))
    assert counted.checked == []
