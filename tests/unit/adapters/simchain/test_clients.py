from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from adapters.simchain import client_store
from adapters.simchain.events import ClientUpdated, MisbehaviourFound
from adapters.simchain.messages import (
    CreateClient,
    RegisterCounterparty,
    SubmitMisbehaviour,
    UpdateClient,
    UpdateStep,
)
from adapters.simchain.misbehave import Forgery, equivocate, forge_header
from adapters.simchain.queries import PREFIX, anchor_at, client_view
from hub.core.client import ClientStatus, Fraction
from hub.core.errors import (
    AnchorInvalid,
    AnchorMismatch,
    ClientFrozen,
    ClientNotFound,
    ClientPending,
    ClientTypeUnknown,
    ConsensusStateMissing,
    FieldInvalid,
    HubError,
    IdentifierInvalid,
    LaneExists,
    LaneNotOpen,
    LimitExceeded,
    NotEnoughTrust,
    QuorumNotReached,
    SignatureInvalid,
    TrustExpired,
    ValidatorSetMismatch,
)
from hub.core.height import Height
from hub.core.ids import ClientId
from hub.core.time import Timestamp
from tests.harness.simchain import TRUST, Path, path_of, steps_between

if TYPE_CHECKING:
    from adapters.simchain.blocks import LightBlock
    from adapters.simchain.chain import Chain

CLIENT = ClientId("07-tendermint-0")


@pytest.fixture
def path() -> Path:
    """Both chains run, and have a registered client of the other."""
    made = path_of().open()
    for _ in range(20):
        made.advance()
    return made


@pytest.fixture
def strangers() -> Path:
    """Two chains without clients."""
    made = path_of()
    for _ in range(3):
        made.advance()
    return made


def create(path: Path, **changes: object) -> CreateClient:
    anchor = anchor_at(path.right, path.right.height, TRUST)
    values = {"anchor": anchor, "ordered": False, "opening": ""} | changes
    return CreateClient(**values)  # type: ignore[arg-type]


def first_step(path: Path, number: int = 0) -> UpdateStep:
    block = path.right.light_block(number or path.right.height)
    return UpdateStep(trusted_height=Height(1, 1), trusted_validators=b"", header=block.header)


def status(path: Path, now: Timestamp | None = None) -> ClientStatus:
    return path.left.clients.status(path.left.state, CLIENT, now or path.now)


def step_to(source: Chain, trusted: int, block: LightBlock) -> UpdateStep:
    return UpdateStep(
        trusted_height=Height(1, trusted),
        trusted_validators=source.config.schedule.at(trusted + 1).content,
        header=block.header,
    )


def update(*steps: UpdateStep, client: ClientId = CLIENT) -> UpdateClient:
    return UpdateClient(client=client, steps=steps)


def test_client_waits_for_the_header_of_its_anchor_and_is_active_with_it(strangers: Path) -> None:
    made = create(strangers)
    step = first_step(strangers)
    assert strangers.run(strangers.left, made).error is None
    assert status(strangers) is ClientStatus.PENDING
    assert strangers.run(strangers.left, update(step)).error is None
    assert status(strangers) is ClientStatus.ACTIVE
    assert client_view(strangers.left, CLIENT).heights == (made.anchor.height.number,)


def test_other_header_than_the_anchors_does_not_start_a_client(strangers: Path) -> None:
    made = create(strangers)
    wrong = first_step(strangers, strangers.right.height - 1)
    assert strangers.run(strangers.left, made).error is None
    assert isinstance(strangers.run(strangers.left, update(wrong)).error, AnchorMismatch)
    assert status(strangers) is ClientStatus.PENDING


def test_client_whose_anchor_is_too_old_does_not_start(strangers: Path) -> None:
    made, step = create(strangers), first_step(strangers)
    strangers.run(strangers.left, made)
    strangers.advance(15 * 24 * 3600)
    assert isinstance(strangers.run(strangers.left, update(step)).error, TrustExpired)
    assert client_view(strangers.left, CLIENT).heights == ()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_type": "08-wasm"}, ClientTypeUnknown),
        ({"header_hash": bytes(32)}, AnchorInvalid),
        ({"chain_id": "with space"}, IdentifierInvalid),
        ({"options": replace(TRUST, trust_level=Fraction(2**64 + 1, 2**64 + 1))}, AnchorInvalid),
    ],
)
def test_anchor_that_cannot_start_a_client_is_refused(
    strangers: Path, changes: dict[str, object], error: type[HubError]
) -> None:
    made = create(strangers)
    wrong = replace(made, anchor=replace(made.anchor, **changes))  # type: ignore[arg-type]
    assert isinstance(strangers.run(strangers.left, wrong).error, error)


@pytest.mark.parametrize("opening", ["a" * 129, "with space", "ä"])
def test_opening_of_another_form_is_refused(strangers: Path, opening: str) -> None:
    result = strangers.run(strangers.left, create(strangers, opening=opening))
    assert isinstance(result.error, FieldInvalid)


def test_same_opening_finds_the_same_client(strangers: Path) -> None:
    made = create(strangers, opening="openings/1")
    assert len(strangers.run(strangers.left, made).events) == 1
    again = strangers.run(strangers.left, made)
    assert (again.error, again.events) == (None, ())
    assert client_store.client_ids(strangers.left.state, "07-tendermint") == [CLIENT]
    other = strangers.run(strangers.left, replace(made, ordered=True))
    assert isinstance(other.error, LaneExists)


def test_client_can_be_bound_once(path: Path) -> None:
    bind = RegisterCounterparty(client=CLIENT, counterparty=path.client(path.right), prefix=PREFIX)
    assert path.run(path.left, bind).error is None
    other = replace(bind, counterparty=ClientId("07-tendermint-5"))
    assert isinstance(path.run(path.left, other).error, LaneExists)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client": ClientId("07-tendermint-9")}, ClientNotFound),
        ({"prefix": (b"bank", b"")}, AnchorMismatch),
        ({"counterparty": ClientId("client")}, IdentifierInvalid),
    ],
)
def test_binding_that_the_operator_did_not_mean_is_refused(
    strangers: Path, changes: dict[str, object], error: type[HubError]
) -> None:
    strangers.run(strangers.left, create(strangers))
    bind = RegisterCounterparty(
        client=CLIENT, counterparty=ClientId("07-tendermint-4"), prefix=PREFIX
    )
    result = strangers.run(strangers.left, replace(bind, **changes))  # type: ignore[arg-type]
    assert isinstance(result.error, error)


def test_client_that_is_pending_or_not_bound_is_no_end_of_a_lane(strangers: Path) -> None:
    clients, state = strangers.left.clients, strangers.left.state
    made, step = create(strangers), first_step(strangers)
    with pytest.raises(ClientNotFound):
        clients.end(state, CLIENT, strangers.now)
    strangers.run(strangers.left, made)
    with pytest.raises(ClientPending):
        clients.end(state, CLIENT, strangers.now)
    strangers.run(strangers.left, update(step))
    with pytest.raises(LaneNotOpen):
        clients.end(state, CLIENT, strangers.now)


def test_client_expires_with_the_trusting_period(path: Path) -> None:
    latest = max(client_view(path.left, CLIENT).heights)
    end = path.right.light_block(latest).signed.header.time + TRUST.trusting_period
    assert status(path, Timestamp(end - 1)) is ClientStatus.ACTIVE
    assert status(path, Timestamp(end)) is ClientStatus.EXPIRED


def test_headers_are_verified_by_bisection_over_set_changes(path: Path) -> None:
    message = path.update(path.left, path.right.height)
    assert len(message.steps) > 1
    result = path.run(path.left, message)
    assert result.error is None
    assert len([e for e in result.events if isinstance(e, ClientUpdated)]) == len(message.steps)


def test_header_that_skips_too_far_changes_nothing(path: Path) -> None:
    trusted = max(client_view(path.left, CLIENT).heights)
    far = step_to(path.right, trusted, path.right.light_block(path.right.height))
    result = path.run(path.left, update(far))
    assert isinstance(result.error, NotEnoughTrust)
    assert max(client_view(path.left, CLIENT).heights) == trusted


def test_update_of_too_many_headers_is_refused(path: Path) -> None:
    step = first_step(path)
    result = path.run(path.left, update(*[step] * 257))
    assert isinstance(result.error, LimitExceeded)


def test_header_from_a_height_that_is_not_trusted_is_refused(path: Path) -> None:
    step = step_to(path.right, 3, path.right.light_block(path.right.height))
    assert 3 not in client_view(path.left, CLIENT).heights
    assert isinstance(path.run(path.left, update(step)).error, ConsensusStateMissing)


def test_header_that_is_known_changes_nothing(path: Path) -> None:
    message = path.update(path.left, path.right.height)
    path.run(path.left, message)
    before = client_view(path.left, CLIENT)
    again = path.run(path.left, message)
    assert (again.error, again.events) == (None, ())
    assert client_view(path.left, CLIENT) == before


def test_older_header_fills_a_gap_and_the_latest_height_stays(path: Path) -> None:
    trusted = max(client_view(path.left, CLIENT).heights)
    path.run(path.left, path.update(path.left, path.right.height))
    latest = client_store.client_state(path.left.state, CLIENT).latest_height
    between = steps_between(path.right, trusted, trusted + 1)
    assert path.run(path.left, update(*between)).error is None
    assert trusted + 1 in client_view(path.left, CLIENT).heights
    assert client_store.client_state(path.left.state, CLIENT).latest_height == latest


@pytest.mark.parametrize(
    ("forgery", "error"),
    [
        (Forgery.TOO_FEW, QuorumNotReached),
        (Forgery.UNKNOWN_SET, ValidatorSetMismatch),
        (Forgery.WRONG_KEYS, SignatureInvalid),
    ],
)
def test_forged_header_is_refused_and_changes_nothing(
    path: Path, forgery: Forgery, error: type[HubError]
) -> None:
    trusted = max(client_view(path.left, CLIENT).heights)
    forged = forge_header(path.right, trusted + 1, forgery)
    before = client_view(path.left, CLIENT)
    result = path.run(path.left, update(step_to(path.right, trusted, forged)))
    assert isinstance(result.error, error)
    assert client_view(path.left, CLIENT) == before
    assert status(path) is ClientStatus.ACTIVE


def test_second_header_at_a_known_height_freezes_the_client(path: Path) -> None:
    trusted = max(client_view(path.left, CLIENT).heights)
    path.run(path.left, update(*steps_between(path.right, trusted, trusted + 1)))
    second = equivocate(path.right, trusted + 1)
    result = path.run(path.left, update(step_to(path.right, trusted, second)))
    assert isinstance(result.error, ClientFrozen)
    assert status(path) is ClientStatus.FROZEN
    (event,) = path.left.ledger.evidence
    assert isinstance(event, MisbehaviourFound)
    assert event.headers == (second.header,)


def test_frozen_client_takes_no_header_and_carries_nothing(path: Path) -> None:
    trusted = max(client_view(path.left, CLIENT).heights)
    path.run(path.left, update(*steps_between(path.right, trusted, trusted + 1)))
    second = step_to(path.right, trusted, equivocate(path.right, trusted + 1))
    path.run(path.left, update(second))
    honest = update(*steps_between(path.right, trusted + 1, trusted + 2))
    assert isinstance(path.run(path.left, honest).error, ClientFrozen)
    with pytest.raises(ClientFrozen):
        path.left.clients.end(path.left.state, CLIENT, path.now)


def test_steps_after_the_one_that_freezes_are_not_taken(path: Path) -> None:
    trusted = max(client_view(path.left, CLIENT).heights)
    path.run(path.left, update(*steps_between(path.right, trusted, trusted + 1)))
    second = step_to(path.right, trusted, equivocate(path.right, trusted + 1))
    after = steps_between(path.right, trusted + 1, trusted + 2)
    path.run(path.left, update(second, *after))
    assert max(client_view(path.left, CLIENT).heights) == trusted + 1


def test_two_headers_of_one_height_that_were_never_stored_freeze_the_client(path: Path) -> None:
    trusted = max(client_view(path.left, CLIENT).heights)
    number = trusted + 1
    message = SubmitMisbehaviour(
        client=CLIENT,
        first=step_to(path.right, trusted, path.right.light_block(number)),
        second=step_to(path.right, trusted, equivocate(path.right, number)),
    )
    assert path.run(path.left, message).error is None
    assert status(path) is ClientStatus.FROZEN
    assert len(path.left.ledger.evidence[0].headers) == 2
    again = path.run(path.left, message)
    assert (again.error, again.events) == (None, ())


def test_two_honest_headers_freeze_nothing(path: Path) -> None:
    trusted = max(client_view(path.left, CLIENT).heights)
    message = SubmitMisbehaviour(
        client=CLIENT,
        first=step_to(path.right, trusted, path.right.light_block(trusted + 1)),
        second=step_to(path.right, trusted, path.right.light_block(trusted + 2)),
    )
    assert path.run(path.left, message).error is not None
    assert status(path) is ClientStatus.ACTIVE
