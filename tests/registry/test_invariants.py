"""Every invariant sees the record that breaks it, in Postgres and in the twin.

In Postgres the rule that keeps such a record out is taken away first: the invariant is what shows
that a rule was dropped.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hub.core.errors import Reason
from hub.core.invariants import BY_NAME, MAX_SAMPLES
from hub.core.lane import Order, Side
from hub.core.ranges import RangeSet
from hub.core.record import ExceptionKind, OutcomeKind
from hub.core.time import Timestamp
from hub.ports.clients import Evidence
from hub.ports.registry import Sweep
from hub.registry.invariants import INVARIANTS, RECENT
from hub.registry.memory import MemoryRegistry
from hub.registry.memory.invariants import CHECKS
from hub.registry.narrow import NarrowSet
from tests.harness.registry import (
    ADMIN,
    HANGZHOU,
    SEQUENCES,
    SUZHOU,
    TIMEOUT,
    Opened,
    add_headers,
    broken,
    header,
    opened,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hub.core.invariants import InvariantViolation
    from hub.ports.registry import Registry
    from hub.registry.memory.state import State
    from hub.registry.registry import PostgresRegistry

COPY_PACKET = "INSERT INTO packets SELECT day - 1, {0} FROM packets WHERE sequence = 1"
COPY_OUTCOME = "INSERT INTO outcomes SELECT day, {0} FROM outcomes WHERE sequence = 1"
MANY_RANGES = ",".join([f"[{low},{low + 1})" for low in range(100, 232, 2)])
LANE_KIND = "UPDATE lanes SET ordering = 'ENFORCED'"

PLANTS = {
    # invariant: statements with every rule lifted
    "one_packet_per_sequence": [
        COPY_PACKET.format("lane_id, sequence, timeout_timestamp, proof_id, accepted_at, content")
    ],
    "one_effect_per_sequence": [
        COPY_OUTCOME.format("lane_id, 9, sequence, proof_id, recorded_at, kind, content")
    ],
    "no_outcome_without_packet": [
        COPY_OUTCOME.format("lane_id, 9, 77, proof_id, recorded_at, kind, content")
    ],
    "proof_of_every_fact": ["UPDATE packets SET proof_id = 99 WHERE sequence = 1"],
    "header_of_every_proof": ["DELETE FROM headers WHERE peer = 'hangzhou'"],
    "audit_not_ahead": [
        """
        INSERT INTO audit_events (identity, action, subject, revision)
        SELECT identity, action, subject, 2 FROM audit_events WHERE action = 'peer.register'
        """
    ],
    "outcome_not_before_packet": ["UPDATE outcomes SET recorded_at = '2000-01-01'"],
    "executed_xor_refunded": [
        COPY_OUTCOME.format("lane_id, 9, sequence, proof_id, recorded_at, 'ABSENCE', ''")
    ],
    "refund_only_with_absence": ["UPDATE headers SET time = time - 1000000000 WHERE height = 7"],
    "sequences_dense": ["DELETE FROM packets WHERE sequence = 4"],
    "outcomes_dense": ["UPDATE lane_sides SET outcome_count = 9 WHERE side = 'DESTINATION'"],
    "ordered_outcomes": [
        LANE_KIND,
        COPY_OUTCOME.format("lane_id, 9, 5, proof_id, recorded_at, kind, content"),
    ],
    "equivocation_frozen": [
        "INSERT INTO evidence VALUES ('suzhou', 1, 'CONSENSUS_STATE_DIFFERS', 'a', 'b', 'c')"
    ],
    "one_header_per_height": [
        "ALTER TABLE headers DROP CONSTRAINT pk_headers",
        "INSERT INTO headers SELECT * FROM headers WHERE height = 7",
    ],
    "nothing_after_freeze": [
        "UPDATE hub_clients SET frozen_at = '2000-01-01' WHERE peer = 'suzhou'"
    ],
    "every_change_audited": ["DELETE FROM audit_events WHERE action = 'lane.opened'"],
    "fencing_monotone": ["UPDATE proofs SET epoch = 7 WHERE proof_id = 2"],
    "lease_unique": ["UPDATE lane_sides SET epoch = 7 WHERE side = 'SOURCE'"],
    "legal_moves": ["UPDATE lane_sides SET progress = '{[70,71)}' WHERE side = 'DESTINATION'"],
    "completed_has_outcome": ["UPDATE lane_sides SET progress = '{[0,9)}' WHERE side = 'SOURCE'"],
    "reopenings_counted": ["UPDATE lane_sides SET reopened_count = 1 WHERE side = 'SOURCE'"],
    "lane_states": [
        "ALTER TABLE lanes DROP CONSTRAINT ck_lanes_pause_cause",
        "UPDATE lanes SET pause_cause = 'x'",
    ],
    "no_overdue_without_exception": ["DELETE FROM timeout_batches"],
    "no_zero_hashes": [
        "ALTER TABLE headers DROP CONSTRAINT ck_headers_header_hash",
        "UPDATE headers SET header_hash = decode(repeat('00', 32), 'hex')",
    ],
    "stopped_sides": ["UPDATE lane_sides SET stopped = true WHERE side = 'SOURCE'"],
    "ranges_bounded": [
        "ALTER TABLE lane_sides DROP CONSTRAINT ck_lane_sides_progress",
        f"UPDATE lane_sides SET progress = '{{{MANY_RANGES}}}'",  # noqa: S608
    ],
}

MORE_PLANTS = [
    ("stopped_sides", ["UPDATE lanes SET state = 'DRAINING'"]),
    ("stopped_sides", ["UPDATE peers SET state = 'SUSPENDED' WHERE peer = 'suzhou'"]),
    ("equivocation_frozen", [
        "INSERT INTO evidence VALUES ('suzhou', 1, 'CONSENSUS_STATE_DIFFERS', 'a', 'b', 'c')",
        "UPDATE hub_clients SET recovered_at = '2000-01-01'",
    ]),
    ("legal_moves", ["UPDATE lane_sides SET progress = '{[3,4)}' WHERE side = 'DESTINATION'"]),
    ("sequences_dense", [COPY_PACKET.format("lane_id, 77, 1, proof_id, accepted_at, content")]),
    ("outcomes_dense", ["DELETE FROM outcomes WHERE sequence = 2"]),
    ("lane_states", ["UPDATE lanes SET first_sequence = 3"]),
    ("proof_of_every_fact", ["DELETE FROM proofs WHERE side = 'DESTINATION'"]),
    ("refund_only_with_absence", ["DELETE FROM headers WHERE height = 7"]),
    ("no_zero_hashes", [
        "ALTER TABLE headers DROP CONSTRAINT ck_headers_root",
        "UPDATE headers SET root = decode('0000', 'hex')",
    ]),
    ("every_change_audited", ["DELETE FROM audit_events WHERE action = 'route.set'"]),
    ("every_change_audited", ["DELETE FROM audit_events WHERE action = 'peer.register'"]),
]  # fmt: skip


async def world(registry: Registry) -> Opened:
    """A lane with every kind of record, all in order."""
    lanes = await opened(registry)
    await lanes.accept(1, 2, 3, 4, 5, 6, denied=[3])
    await lanes.settle(1)
    await lanes.settle(2, kind=OutcomeKind.ABSENCE)
    await registry.outcomes.record_completed(lanes.source, lanes.lane, RangeSet.of([0]))
    await registry.outcomes.record_delivered(lanes.destination, lanes.lane, RangeSet.of([1, 4]))
    assert await broken(registry) == {}
    return lanes


async def plant(postgres: PostgresRegistry, statements: list[str]) -> None:
    """The *statements* are carried out; triggers and foreign keys look away."""
    async with postgres.database.line() as line, line.transaction():
        await line.execute("SET LOCAL session_replication_role = replica")
        for statement in statements:
            await line.execute(statement)


def shown(found: Iterable[InvariantViolation]) -> dict[str, tuple[int, list[str]]]:
    """Counts and rows by invariant; no query says in which order rows come."""
    return {one.invariant: (one.count, sorted(one.samples)) for one in found}


@pytest.mark.parametrize(("invariant", "statements"), [*PLANTS.items(), *MORE_PLANTS])
async def test_an_invariant_sees_what_breaks_it(
    postgres: PostgresRegistry, invariant: str, statements: list[str]
) -> None:
    await world(postgres)
    await plant(postgres, statements)
    found = {v.invariant: v for v in await postgres.audit.violations()}
    assert found[invariant].count >= 1
    assert 1 <= len(found[invariant].samples) <= MAX_SAMPLES
    some, _ = await postgres.audit.recent(Sweep())
    assert shown(some) == shown(found.values())


def test_every_invariant_is_broken_once() -> None:
    assert set(INVARIANTS) == set(PLANTS) == set(CHECKS) == set(TWIN_PLANTS)
    assert set(INVARIANTS) == set(RECENT) == set(BY_NAME)


def lane_row(state: State) -> Any:
    return state.lanes[1]


def twice(state: State) -> None:
    row = lane_row(state)
    row.packets[77] = row.packets[1]


def second_effect(state: State) -> None:
    row = lane_row(state)
    row.outcomes.append(msgspec.structs.replace(row.outcomes[0], outcome_index=9))


def effect_without_packet(state: State) -> None:
    del lane_row(state).packets[1]


def fact_without_proof(state: State) -> None:
    del state.proofs[1]


def both_effects(state: State) -> None:
    row = lane_row(state)
    row.outcomes.append(msgspec.structs.replace(row.outcomes[0], kind=OutcomeKind.ABSENCE))


def early_refund(state: State) -> None:
    state.headers[SUZHOU][7] = header(7, time=TIMEOUT - 1)


def missing_packet(state: State) -> None:
    del lane_row(state).packets[4]


def uncounted_reopening(state: State) -> None:
    lane_row(state).sides[Side.SOURCE].reopened_count = 1


def wrong_count(state: State) -> None:
    lane_row(state).sides[Side.DESTINATION].outcome_count = 9


def out_of_order(state: State) -> None:
    row = lane_row(state)
    row.lane = replace(row.lane, order=Order.ENFORCED)
    row.outcomes.append(msgspec.structs.replace(row.outcomes[0], sequence=5))


def evidence_alone(state: State) -> None:
    found = Evidence(
        reason=Reason.OUTCOME_DIFFERS, first=b"a", second=b"b", recorded_at=Timestamp(2), number=1
    )
    state.evidence[SUZHOU].append(found)
    state.clients[SUZHOU].recovered_at = Timestamp(1)


def misplaced_header(state: State) -> None:
    state.headers[SUZHOU][8] = header(7)


def frozen_before(state: State) -> None:
    state.clients[SUZHOU].frozen_at = Timestamp(1)


def proof_under_nothing(state: State) -> None:
    del state.headers[HANGZHOU][7]


def row_of_before(state: State) -> None:
    event = state.audit_events[0]
    state.audit_events.append(replace(event, revision=event.revision + 1))


def outcome_first(state: State) -> None:
    row = lane_row(state)
    row.outcomes[0] = msgspec.structs.replace(row.outcomes[0], recorded_at=Timestamp(1))


def silent_change(state: State) -> None:
    row = lane_row(state)
    row.lane = replace(row.lane, revision=2)


def older_epoch(state: State) -> None:
    state.proofs[1] = replace(state.proofs[1], epoch=9)
    state.proofs[99] = replace(state.proofs[1], epoch=8)


def two_epochs(state: State) -> None:
    lane_row(state).sides[Side.SOURCE].epoch = 9


def denied_delivered(state: State) -> None:
    lane_row(state).sides[Side.DESTINATION].progress = NarrowSet(RangeSet.of([3]))


def completed_too_much(state: State) -> None:
    lane_row(state).sides[Side.SOURCE].progress = NarrowSet(RangeSet.of([8]))


def paused_while_open(state: State) -> None:
    row = lane_row(state)
    row.lane = replace(row.lane, pause_cause="x")


def stopped_for_nothing(state: State) -> None:
    lane_row(state).sides[Side.SOURCE].stopped = True


def forgotten(state: State) -> None:
    lane_row(state).timeouts.clear()


def zero_hash(state: State) -> None:
    stored = header(7)
    zero = replace(stored, state=replace(stored.state, header_hash=bytes(32)))
    state.headers[SUZHOU][7] = zero


def too_many_ranges(state: State) -> None:
    many = RangeSet.of(range(100, 232, 2))
    lane_row(state).sides[Side.SOURCE].progress = NarrowSet(many)


TWIN_PLANTS: dict[str, Callable[[State], None]] = {
    "one_packet_per_sequence": twice,
    "one_effect_per_sequence": second_effect,
    "no_outcome_without_packet": effect_without_packet,
    "proof_of_every_fact": fact_without_proof,
    "executed_xor_refunded": both_effects,
    "refund_only_with_absence": early_refund,
    "reopenings_counted": uncounted_reopening,
    "sequences_dense": missing_packet,
    "outcomes_dense": wrong_count,
    "ordered_outcomes": out_of_order,
    "equivocation_frozen": evidence_alone,
    "one_header_per_height": misplaced_header,
    "nothing_after_freeze": frozen_before,
    "every_change_audited": silent_change,
    "fencing_monotone": older_epoch,
    "lease_unique": two_epochs,
    "header_of_every_proof": proof_under_nothing,
    "audit_not_ahead": row_of_before,
    "outcome_not_before_packet": outcome_first,
    "legal_moves": denied_delivered,
    "completed_has_outcome": completed_too_much,
    "lane_states": paused_while_open,
    "no_overdue_without_exception": forgotten,
    "no_zero_hashes": zero_hash,
    "ranges_bounded": too_many_ranges,
    "stopped_sides": stopped_for_nothing,
}


@pytest.mark.parametrize(("invariant", "spoil"), TWIN_PLANTS.items())
async def test_the_twin_sees_what_breaks_an_invariant(
    invariant: str, spoil: Callable[[State], None]
) -> None:
    registry = MemoryRegistry()
    await world(registry)
    spoil(registry.state)
    found = {v.invariant: v for v in await registry.audit.violations()}
    assert found[invariant].count >= 1
    assert found[invariant].samples


async def test_a_packet_with_an_exception_is_not_forgotten(registry: Registry) -> None:
    lanes = await world(registry)
    due = await registry.packets.due_timeouts(lanes.lane, 2**62, 9)
    exceptions = await registry.exceptions.among(lanes.lane, SEQUENCES)
    parked = [
        replace(exceptions[0], sequence=sequence, kind=ExceptionKind.PARKED)
        for sequence in (4, 5, 6)
    ]
    await registry.exceptions.put(lanes.source, lanes.lane, parked)
    await registry.packets.move_timeouts(lanes.destination, [(batch, None) for batch in due])
    assert await broken(registry) == {}


async def test_what_is_received_and_not_acknowledged_yet_is_looked_at_again(
    registry: Registry,
) -> None:
    lanes = await world(registry)
    await add_headers(registry, lanes.destination, [header(9, time=TIMEOUT + 100)])
    due = await registry.packets.due_timeouts(lanes.lane, 2**62, 9)
    for later, is_forgotten in ((TIMEOUT + 105, False), (TIMEOUT + 161, True)):
        moves = [(batch, later) for batch in due]
        await registry.packets.move_timeouts(lanes.destination, moves)
        assert ("no_overdue_without_exception" in await broken(registry)) is is_forgotten


async def test_a_freeze_in_the_middle_of_traffic_breaks_nothing(registry: Registry) -> None:
    await world(registry)
    await registry.clients.freeze(HANGZHOU, "two truths", None, ADMIN)
    await registry.clients.freeze(SUZHOU, "two truths", None, ADMIN)
    assert await broken(registry) == {}


async def test_the_schema_and_the_clock_are_told(registry: Registry) -> None:
    assert await registry.audit.schema_revision()
    first = await registry.audit.clock()
    assert await registry.audit.clock() > first > 0
    names = [violation.invariant for violation in await registry.audit.violations()]
    assert names == sorted(INVARIANTS)
