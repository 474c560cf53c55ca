from __future__ import annotations

import pytest

from adapters.simchain.messages import SendPacket, Transaction
from adapters.simchain.misbehave import Misbehaviour
from adapters.simchain.switches import (
    LASTING,
    MAX_DURATION,
    OF_ADAPTER,
    OF_CHAIN,
    Switches,
    newest_first,
)
from hub.core.errors import FieldInvalid
from hub.core.ids import ClientId
from hub.core.time import SECOND, Duration
from tests.harness.clock import ManualClock

ONE, TWO = ClientId("07-tendermint-1"), ClientId("07-tendermint-2")
LONG = Duration(10 * SECOND)


def test_everything_is_off_at_first() -> None:
    switches = Switches(ManualClock())
    assert not switches.is_stalled
    assert not switches.is_reordering
    assert not switches.is_withholding
    assert not switches.withholds(ONE)


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (Misbehaviour.STALL, "is_stalled"),
        (Misbehaviour.REORDER, "is_reordering"),
        (Misbehaviour.WITHHOLD, "is_withholding"),
        (Misbehaviour.REFUSE, "is_refusing"),
    ],
)
async def test_a_switch_goes_off_by_itself_and_no_other_goes_on(
    kind: Misbehaviour, state: str
) -> None:
    clock = ManualClock()
    switches = Switches(clock)
    switches.turn_on(kind, None, LONG)
    names = ("is_stalled", "is_reordering", "is_withholding", "is_refusing")
    assert {name for name in names if getattr(switches, name)} == {state}
    await clock.advance(Duration(LONG - 1))
    assert getattr(switches, state)
    await clock.advance(Duration(1))
    assert not getattr(switches, state)


@pytest.mark.parametrize("kinds", [OF_CHAIN, OF_ADAPTER])
def test_a_process_has_its_own_switches_only(kinds: frozenset[Misbehaviour]) -> None:
    switches = Switches(ManualClock(), kinds)
    for kind in kinds:
        switches.turn_on(kind, None, LONG)
    for kind in LASTING - kinds:
        with pytest.raises(FieldInvalid) as caught:
            switches.turn_on(kind, None, LONG)
        assert caught.value.field == "kind"
    assert OF_CHAIN | OF_ADAPTER == LASTING


def test_a_duration_of_nothing_turns_off() -> None:
    switches = Switches(ManualClock())
    switches.turn_on(Misbehaviour.STALL, ONE, LONG)
    assert switches.is_stalled
    switches.turn_on(Misbehaviour.STALL, None, Duration(0))
    assert not switches.is_stalled


def test_one_clients_packets_are_withheld_or_everyones() -> None:
    switches = Switches(ManualClock())
    switches.turn_on(Misbehaviour.WITHHOLD, ONE, LONG)
    assert (switches.withholds(ONE), switches.withholds(TWO)) == (True, False)
    switches.turn_on(Misbehaviour.WITHHOLD, None, LONG)
    assert switches.withholds(TWO)
    switches.turn_on(Misbehaviour.WITHHOLD, None, Duration(0))
    assert (switches.withholds(ONE), switches.withholds(TWO)) == (True, False)
    assert switches.is_withholding


@pytest.mark.parametrize("kind", sorted(set(Misbehaviour) - LASTING))
def test_what_happens_once_is_no_switch(kind: Misbehaviour) -> None:
    with pytest.raises(FieldInvalid):
        Switches(ManualClock()).turn_on(kind, None, LONG)


@pytest.mark.parametrize("duration", [-1, MAX_DURATION + 1])
def test_a_duration_beyond_its_bounds_is_refused(duration: int) -> None:
    with pytest.raises(FieldInvalid):
        Switches(ManualClock()).turn_on(Misbehaviour.STALL, None, Duration(duration))


def entry(name: str, signer: str, nonce: int) -> tuple[bytes, Transaction]:
    messages: tuple[SendPacket, ...] = ()
    return name.encode(), Transaction(signer=signer, nonce=nonce, messages=messages)


def test_the_newest_come_first_but_one_accounts_counted_ones_keep_their_order() -> None:
    waiting = [
        entry("a1", "alice", 1),
        entry("r1", "relayer", 0),
        entry("b1", "bob", 1),
        entry("a2", "alice", 2),
        entry("r2", "relayer", 0),
    ]
    turned = newest_first(waiting)
    assert [name for name, _ in turned] == [b"r2", b"a1", b"b1", b"r1", b"a2"]
    assert sorted(turned, key=lambda one: one[0]) == sorted(waiting, key=lambda one: one[0])
