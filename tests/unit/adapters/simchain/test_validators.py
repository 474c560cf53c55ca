from __future__ import annotations

from adapters.simchain.validators import Schedule, signer, signer_set
from hub.light_clients.cometbft.validators import read_signers

SCHEDULE = Schedule(b"seed", 4, 10)


def test_set_of_every_height_keeps_the_rules_of_the_field() -> None:
    for height in range(1, 200, 7):
        chosen = SCHEDULE.at(height)
        read = read_signers(chosen.content)
        assert read.hash == chosen.hash
        assert read.total == chosen.total
        assert read.addresses == tuple(one.address for one in chosen.signers)


def test_set_stays_within_a_turn_and_changes_by_one_after_it() -> None:
    first, same, after = SCHEDULE.at(10), SCHEDULE.at(19), SCHEDULE.at(20)
    assert first == same
    names, next_names = ({one.address for one in chosen.signers} for chosen in (first, after))
    assert len(names & next_names) == 3
    assert first.hash != after.hash


def test_powers_shift_at_a_turn() -> None:
    powers = [
        {one.address: one.validator.power for one in SCHEDULE.at(height).signers}
        for height in (10, 20, 30)
    ]
    both = powers[0].keys() & powers[1].keys() & powers[2].keys()
    assert any(len({power[name] for power in powers}) > 1 for name in both)


def test_set_without_turns_never_changes() -> None:
    still = Schedule(b"seed", 4, 0)
    assert still.at(1).hash == still.at(10**6).hash


def test_keys_follow_from_the_seed() -> None:
    assert Schedule(b"seed", 4, 10).at(5) == SCHEDULE.at(5)
    assert Schedule(b"other", 4, 10).at(5).hash != SCHEDULE.at(5).hash


def test_equal_powers_are_ordered_by_address() -> None:
    chosen = signer_set([signer(b"seed", number, 10) for number in range(6)])
    names = [one.address for one in chosen.signers]
    assert names == sorted(names)
