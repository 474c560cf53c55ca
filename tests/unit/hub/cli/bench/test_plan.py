from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import msgspec
import pytest

from adapters.bench.workload import Workload
from hub.cli.bench.options import Options, Proofs
from hub.cli.bench.plan import Kind, Phase, Plan, make_plan
from hub.core.lane import Order
from hub.core.time import SECOND

SMALL = Options(
    rates=(600,), seconds=1, packets=600, rounds=2, window=200, idle=3, batch=30, peers=3, lanes=5
)


def read(plan: Plan) -> Workload:
    """As the generator reads it."""
    return msgspec.json.decode(json.dumps(plan.workload()), type=Workload)


def open_phase(options: Options) -> Phase:
    return next(phase for phase in make_plan(options).phases if phase.kind is Kind.OPEN)


@pytest.mark.parametrize(
    "options",
    [
        SMALL,
        Options(),
        Options(lanes=5, peers=4, batch=7),
        Options(lanes=9, active=4, behind=1001),
        Options(minutes=3, slice_seconds=2, proofs=Proofs.MIXED),
    ],
)
def test_every_sequence_of_a_lane_is_sent_once_and_in_order(options: Options) -> None:
    plan = make_plan(options)
    workload = read(plan)
    assert workload.lanes == plan.lanes
    assert len(set(plan.lanes)) == len(plan.lanes) == options.carrying
    for at in range(len(plan.lanes)):
        loads = [load for phase in workload.phases for load in phase.loads if load.lane == at]
        slots = [slot for load in loads for slot in load.slots]
        assert slots[0].first == plan.past + 1
        assert all(a.first + a.count == b.first for a, b in pairwise(slots))
        assert all(1 <= slot.count <= options.batch for slot in slots)
        last = slots[-1].first + slots[-1].count - 1
        assert plan.due(len(plan.phases) - 1)[plan.lanes[at].name] == last


@pytest.mark.parametrize("rate", [1, 600, 1000, 5000, 30_000])
@pytest.mark.parametrize("proofs", list(Proofs))
def test_open_loop_offers_the_rate_that_was_asked_for(rate: int, proofs: Proofs) -> None:
    phase = open_phase(replace(SMALL, rates=(rate,), seconds=60, lanes=3, proofs=proofs))
    offered = sum(load.frame * SECOND / load.interval for load in phase.loads)
    assert offered == pytest.approx(rate, rel=0.01)
    for load in phase.loads:
        span = load.interval * load.packets / load.frame
        assert span == pytest.approx(60 * SECOND, rel=0.1)


def test_proofs_tell_how_large_frames_are() -> None:
    frames = {
        proofs: [load.frame for load in open_phase(replace(SMALL, lanes=2, proofs=proofs)).loads]
        for proofs in Proofs
    }
    assert frames == {Proofs.BATCH: [6, 6], Proofs.SINGLE: [1, 1], Proofs.MIXED: [6, 1]}


def test_a_soak_is_slices_each_a_part_of_its_own() -> None:
    plan = make_plan(replace(SMALL, minutes=3, slice_seconds=2))
    assert [(phase.kind, phase.chunk) for phase in plan.phases] == [
        (Kind.WARM_UP, 0),
        (Kind.IDLE, 0),
        (Kind.SLICE, 1),
        (Kind.SLICE, 2),
        (Kind.SLICE, 3),
    ]
    assert read(plan).chunks == 4
    assert plan.phases[-1].packets == 1200


def test_what_is_zero_has_no_phase() -> None:
    plan = make_plan(replace(SMALL, rates=(), idle=0, rounds=1))
    assert [phase.kind for phase in plan.phases] == [Kind.WARM_UP, Kind.CLOSED]


def test_the_past_is_dealt_out_to_the_lanes_that_carry() -> None:
    plan = make_plan(replace(SMALL, lanes=8, active=3, behind=1000))
    assert plan.past == 334
    assert len(plan.pairs) == 4
    assert set(plan.due(0).values()) == {334 + plan.phases[0].packets // 3}


def test_very_many_lanes_warm_up_with_a_packet_at_least() -> None:
    plan = make_plan(replace(Options(), lanes=2000, rates=(), idle=0, rounds=0, batch=256))
    assert plan.phases[0].packets == 100_000
    assert {load.packets for load in plan.phases[0].loads} == {50}


def test_the_generator_hears_whether_gateways_keep_order() -> None:
    assert not read(make_plan(SMALL)).enforced
    assert read(make_plan(replace(SMALL, order=Order.ENFORCED))).enforced
