from __future__ import annotations

from dataclasses import replace

from hub.cli.bench.presets import LONG_PAST, MANY_LANES, MANY_PEERS, ONE_LANE
from hub.cli.bench.targets import capacity, rows
from tests.harness.bench import RESULT, RUN, resting, run_of


def verdicts(*runs: object) -> dict[str, tuple[float | None, str]]:
    found = rows(replace(RESULT, runs=tuple(runs)))  # type: ignore[arg-type]
    return {row.target.name: (row.measured, row.verdict) for row in found}


def test_each_number_is_the_median_round_or_its_own_phase() -> None:
    found = verdicts(RUN)
    assert found["packets/s, 1 relayer process"] == (4000.0, "not reached")
    assert found["packets/s, 2 relayer processes"] == (None, "not measured")
    assert found["latency at 5,000/s, p50 ms"] == (11.0, "reached")
    assert found["latency at 5,000/s, p99 ms"] == (81.0, "not reached")
    assert found["one packet on an idle hub, p50 ms"] == (7.0, "reached")
    assert found["CPU us a packet at saturation, relayer + Postgres"] == (150.0, "not reached")
    assert found["memory of a relayer process, MB"] == (70.0, "reached, stretch too")
    assert found["header of 100 validators, every signature, ms"] == (5.5, "reached, stretch too")
    assert capacity(RUN) == 4000.0


def test_growth_is_a_ratio_to_one_lane() -> None:
    found = verdicts(
        run_of(ONE_LANE, 50),
        run_of(MANY_LANES, 60, lanes=10_000),
        run_of(LONG_PAST, 70),
        run_of(MANY_PEERS, 52, peers=100),
    )
    assert found["CPU a packet, 100 peers attached against two"] == (1.04, "reached, stretch too")
    many = found["CPU a packet, 10,000 lanes (100 active) against one"]
    assert many == (1.2, "reached")
    assert found["CPU a packet, 10^7 packets behind against none"] == (1.4, "not reached")
    assert found["packets/s, 1 relayer process"] == (None, "not measured")


def test_what_peers_cost_at_rest_is_told_apart_and_hides_nothing() -> None:
    few, many = run_of(ONE_LANE, 50), run_of(MANY_PEERS, 95, peers=100)
    whole = "CPU a packet, 100 peers attached against two"
    beyond = "the same, each less its CPU at rest (headers, heartbeats)"
    assert verdicts(few, many)[beyond] == (None, "not measured")
    assert verdicts(resting(few, 4), many)[beyond] == (None, "not measured")
    # At 4,000 packets a second: 2 us of a packet's 50, and 41 of 95.
    found = verdicts(resting(few, 4), resting(many, 160))
    assert found[whole] == (1.9, "not reached")
    assert found[beyond] == (1.12, "reached")


def test_unusual_loads_count_for_no_number_of_the_usual_one() -> None:
    for options in (
        {"lanes": 17},
        {"behind": 1},
        {"proofs": "single"},
        {"order": "ENFORCED"},
        {"keys": 999_999},
    ):
        found = verdicts(run_of("mine", 10, **options))
        assert found["packets/s, 1 relayer process"][0] is None
        assert found["CPU us a packet at saturation, relayer + Postgres"][0] is None


def test_two_relayers_are_another_number() -> None:
    found = verdicts(run_of("two", 10, relayers=2))
    assert found["packets/s, 2 relayer processes"][0] == 4000.0
    assert found["packets/s, 1 relayer process"][0] is None
