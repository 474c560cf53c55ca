from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.client import Anchor, Fraction, Header
from hub.core.errors import (
    AnchorInvalid,
    AnchorMismatch,
    CommitMismatch,
    HubError,
    MembershipNotProven,
    NonMembershipNotProven,
    ProofBatchInvalid,
    QuorumNotReached,
    RootMismatch,
    SignatureInvalid,
    ValidatorSetMismatch,
)
from hub.core.height import Height
from hub.core.ids import ChainId
from hub.core.time import SECOND, Timestamp
from hub.light_clients.cometbft.client import CometBftClient
from hub.light_clients.interface import Excluded, Included, NeedsBisection, Verified
from tests.harness.cometbft import (
    START,
    Block,
    anchor_of,
    make_chain,
    members,
    resigned,
    with_entry,
    with_header,
)
from tests.harness.proof_samples import (
    KEY_PREFIX,
    MIDDLE,
    PREFIX,
    PRESENT,
    ROOT,
    STORE,
    WORLD,
    batch,
    chained,
    key,
    leaves,
    lower,
    upper,
    value,
)

CLIENT = CometBftClient()
GROUP = members(10, 10, 10, 10)
TRUSTED, NEXT, FAR = make_chain([GROUP] * 3)
ANCHOR = anchor_of(TRUSTED)
NOW = Timestamp(FAR.time + SECOND)

OTHER_REVISION = ChainId("suzhou-2")


def test_client_type_is_that_of_ibc() -> None:
    assert CLIENT.client_type == "07-tendermint"


def test_read_header_gives_what_is_kept_of_it() -> None:
    assert CLIENT.read_header(NEXT.header) == NEXT.state
    with pytest.raises(CommitMismatch):
        CLIENT.read_header(with_header(NEXT, app_hash=b"").header)


def test_set_is_hashed_as_headers_name_it() -> None:
    assert CLIENT.hash_validators(TRUSTED.next_set) == NEXT.signed.header.validators_hash


def test_anchor_is_trusted_with_the_header_that_it_names() -> None:
    assert CLIENT.trust_anchor(ANCHOR, TRUSTED.header) == TRUSTED.state


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("client_type", "06-solomachine"),
        ("chain_id", "hangzhou-1"),
        ("height", Height(1, 2)),
        ("header_hash", b"\x01" * 32),
        ("next_validators_hash", b"\x01" * 32),
    ],
)
def test_anchor_that_names_another_header_is_refused(field: str, value: Any) -> None:
    anchor: Anchor = replace(ANCHOR, **{field: value})
    with pytest.raises(AnchorMismatch) as caught:
        CLIENT.trust_anchor(anchor, TRUSTED.header)
    assert caught.value.field == field


def test_anchor_of_another_revision_than_its_chain_ids_can_start_no_client() -> None:
    CLIENT.check_anchor(ANCHOR)
    for other in (replace(ANCHOR, height=Height(0, 1)), replace(ANCHOR, chain_id=OTHER_REVISION)):
        with pytest.raises(AnchorInvalid) as caught:
            CLIENT.check_anchor(other)
        assert caught.value.field == "height"


def test_anchor_that_names_nothing_is_refused() -> None:
    with pytest.raises(AnchorInvalid):
        CLIENT.trust_anchor(replace(ANCHOR, header_hash=bytes(32)), TRUSTED.header)


def test_anchor_that_was_never_decided_is_refused() -> None:
    undecided = resigned(TRUSTED, absent=(0, 1))
    with pytest.raises(QuorumNotReached):
        CLIENT.trust_anchor(ANCHOR, undecided.header)
    with pytest.raises(SignatureInvalid):
        CLIENT.trust_anchor(ANCHOR, with_entry(TRUSTED, 0, signature=bytes(64)).header)


@pytest.mark.parametrize("kept", [0, 10, 20, 30])
@pytest.mark.parametrize("level", [Fraction(1, 3), Fraction(2, 3), Fraction(1, 1)])
def test_planning_agrees_with_verifying(kept: int, level: Fraction) -> None:
    new = (*GROUP[: kept // 10], *members(*[10] * 9, first=40))
    trusted, _, far = make_chain([GROUP, GROUP, new])
    anchor = anchor_of(trusted, trust_level=level)
    verdict = CLIENT.verify_header(anchor, trusted.state, trusted.next_set, far.header, now=NOW)
    planned = CLIENT.may_follow(anchor, trusted.state, trusted.next_set, far.header)
    assert planned == isinstance(verdict, Verified)
    assert planned != isinstance(verdict, NeedsBisection)


def test_next_header_may_follow_at_any_trust_level() -> None:
    anchor = anchor_of(TRUSTED, trust_level=Fraction(1, 1))
    assert CLIENT.may_follow(anchor, TRUSTED.state, TRUSTED.next_set, NEXT.header)
    changed = make_chain([GROUP, members(1)])[1]
    assert not CLIENT.may_follow(anchor, TRUSTED.state, TRUSTED.next_set, changed.header)


def test_nothing_may_follow_that_is_not_above() -> None:
    for block in (TRUSTED, NEXT):
        assert not CLIENT.may_follow(ANCHOR, NEXT.state, NEXT.next_set, block.header)


def test_planning_asks_for_the_named_set() -> None:
    other = make_chain([members(1)])[0].next_set
    with pytest.raises(ValidatorSetMismatch):
        CLIENT.may_follow(ANCHOR, TRUSTED.state, other, FAR.header)


def test_child_names_its_parent() -> None:
    assert CLIENT.links_to(TRUSTED.header, NEXT.header)
    assert CLIENT.links_to(NEXT.header, FAR.header)


@pytest.mark.parametrize(
    ("parent", "child"),
    [
        (TRUSTED, FAR),
        (NEXT, TRUSTED),
        (NEXT, NEXT),
        (resigned(TRUSTED, app_hash=b""), NEXT),
        (TRUSTED, resigned(NEXT, chain_id="suzhou-2")),
        (TRUSTED, resigned(NEXT, height=3)),
        (TRUSTED, resigned(NEXT, time=START)),
    ],
    ids=["grandparent", "child", "itself", "sibling", "chain", "height", "time"],
)
def test_child_names_nobody_else(parent: Block, child: Block) -> None:
    assert not CLIENT.links_to(parent.header, child.header)


def test_parent_is_linked_whoever_signed_it() -> None:
    unsigned = with_entry(TRUSTED, 0, signature=bytes(64))
    assert CLIENT.links_to(unsigned.header, NEXT.header)


def test_conflict_is_found_among_stored_states() -> None:
    fork = resigned(NEXT, app_hash=b"").state
    stored = [TRUSTED.state, NEXT.state, FAR.state]
    assert CLIENT.find_conflict(NEXT.state, stored) is None
    assert CLIENT.find_conflict(fork, stored) == NEXT.state


def test_app_hash_of_another_length_is_kept_and_proves_nothing() -> None:
    for app_hash in (b"", b"\x05" + bytes(7)):
        block = resigned(NEXT, app_hash=app_hash)
        verdict = CLIENT.verify_header(
            ANCHOR, TRUSTED.state, TRUSTED.next_set, block.header, now=NOW
        )
        assert verdict == Verified(block.state)
        assert block.state.root == app_hash


def test_membership_is_that_of_ics23() -> None:
    proof = chained(lower(), upper())
    found = CLIENT.verify_membership(ROOT, PREFIX, key(MIDDLE), value(MIDDLE), proof)
    assert found == Included()
    with pytest.raises(MembershipNotProven):
        CLIENT.verify_membership(ROOT, PREFIX, key(MIDDLE), value(MIDDLE + 2), proof)
    with pytest.raises(RootMismatch):
        CLIENT.verify_membership(ROOT[:8], PREFIX, key(MIDDLE), value(MIDDLE), proof)


def test_absence_is_that_of_ics23() -> None:
    missing = WORLD.absence(STORE, KEY_PREFIX + key(MIDDLE + 1))
    proof = chained(missing, upper())
    found = CLIENT.verify_non_membership(ROOT, PREFIX, key(MIDDLE + 1), proof)
    assert found == Excluded()
    with pytest.raises(NonMembershipNotProven):
        CLIENT.verify_non_membership(ROOT, PREFIX, key(MIDDLE), proof)


def test_batch_is_that_of_all_families_with_such_stores() -> None:
    CLIENT.verify_batch(ROOT, PREFIX, leaves(*PRESENT), batch(*PRESENT))
    with pytest.raises(ProofBatchInvalid):
        CLIENT.verify_batch(ROOT, PREFIX, leaves(*reversed(PRESENT)), batch(*PRESENT))
    with pytest.raises(RootMismatch):
        CLIENT.verify_batch(bytes(32), PREFIX, leaves(*PRESENT), batch(*PRESENT))
    with pytest.raises(HubError):
        CLIENT.verify_batch(ROOT, PREFIX, [], batch(*PRESENT))


@given(content=st.binary(max_size=300), validators=st.binary(max_size=200))
def test_nothing_but_the_projects_errors_escapes(content: bytes, validators: bytes) -> None:
    for header in (
        Header(content=content, validators=validators),
        Header(content=NEXT.header.content, validators=validators),
        Header(content=content, validators=NEXT.header.validators),
    ):
        with pytest.raises(HubError):
            CLIENT.read_header(header)
        with pytest.raises(HubError):
            CLIENT.verify_header(ANCHOR, TRUSTED.state, TRUSTED.next_set, header, now=NOW)


@given(at=st.integers(0, 2000), cut=st.integers(0, 2), put=st.binary(max_size=3))
def test_changed_bytes_are_never_another_verified_state(at: int, cut: int, put: bytes) -> None:
    content = NEXT.header.content
    at %= len(content)
    header = replace(NEXT.header, content=content[:at] + put + content[at + cut :])
    try:
        verdict = CLIENT.verify_header(ANCHOR, TRUSTED.state, TRUSTED.next_set, header, now=NOW)
    except HubError:
        return
    assert verdict == Verified(NEXT.state)
