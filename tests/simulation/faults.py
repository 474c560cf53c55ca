"""What goes wrong in a run, and when: drawn from its seed, and over before the run is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.harness.exchange import ADMIN
from tests.simulation.database import done
from tests.simulation.loop import SECOND
from tests.simulation.world import RELAYERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.world import World

MILLISECOND = SECOND // 1000
WRITES = (
    "accept",
    "record",
    "record_delivered",
    "record_completed",
    "renew_all",
    "acquire",
    "add_headers",
    "drop_ended_timeouts",
)


LEAVES_READING = {"lane paused", "chain refuses"}
"""Faults among which a relayer goes by what it has read."""


KINDS = (
    "relayer killed",
    "relayer killed after a write",
    "relayer stands still",
    "adapter killed",
    "adapter stands still",
    "stream cut",
    "stream half open",
    "partition",
    "one way deaf",
    "database away",
    "calls lost",
    "calls late",
    "network slow",
    "adapter lies",
    "chain refuses",
    "clock steps",
    "chain stands still",
    "lane paused",
)


class Faults:
    """The faults of one run."""

    def __init__(self, world: World, until: int) -> None:
        """They happen up to *until* (ns of the simulation)."""
        self._world = world
        self._until = until
        self._chance = world.chance
        self.counts: dict[str, int] = {}
        happens = (
            self._kill_relayer,
            self._trap,
            self._pause_relayer,
            self._kill_adapter,
            self._pause_adapter,
            self._cut,
            self._half_open,
            self._partition,
            self._deaf,
            self._no_database,
            self._lossy,
            self._late,
            self._slow,
            self._lie,
            self._refuse,
            self._skew,
            self._stall,
            self._pause_lane,
        )
        self._kinds = tuple(zip(KINDS, happens, strict=True))

    def begin(self, count: int, only: tuple[str, ...] = ()) -> None:
        """*count* faults are to come, of kinds that this run draws, or of these *only*."""
        world, chance = self._world, self._chance
        world.on_trap = self._trapped
        kinds = chance.sample(self._kinds, chance.choice((1, 2, 4, 8, len(self._kinds))))
        if only:
            kinds = [one for one in self._kinds if one[0] in only]
        world.model.holds_strictly = {name for name, _ in kinds} <= LEAVES_READING
        now = world.loop.now
        for _ in range(count):
            at = chance.randrange(now, self._until)
            name, happen = chance.choice(kinds)
            world.loop.call_at_ns(at, self._happen, name, happen, context=world.loop.main.context)

    def stop(self) -> None:
        """Everything works again, and everybody runs."""
        world = self._world
        world.note("world", "faults stop")
        world.trap = None
        world.network.heal()
        for name in RELAYERS:
            if name not in world.relayers:
                world.start_relayer(name)
        for relayer in world.relayers.values():
            relayer.process.is_paused = False
            relayer.link.is_cut = False
            relayer.link.lost_in = relayer.link.hints_lost_in = relayer.link.late_in = 0
            relayer.clock.skew = 0
        for town in world.towns.values():
            town.will.lies_in = town.will.refuses_in = 0
            if town.has_lied and town.process is not None:
                town.die()  # what was refused for good is shown again by another session alone
            if town.process is None:
                world.attach(town)
            else:
                town.process.is_paused = False
            town.chain_process.is_paused = False
            town.clock.skew = town.chain_clock.skew = 0
        self._resume_lanes()

    def _happen(self, name: str, happen: Callable[[], None]) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1
        self._world.note("world", f"FAULT {name}")
        happen()

    def _later(self, longest: int, undo: Callable[[], None]) -> None:
        """*undo* comes after at most *longest* (ns), unless the faults stop before."""
        world = self._world
        due = world.loop.now + self._chance.randrange(1, longest)
        if due < self._until:
            world.loop.call_at_ns(due, undo, context=world.loop.main.context)

    def _kill_relayer(self) -> None:
        if self._world.relayers:
            self._trapped(self._chance.choice(sorted(self._world.relayers)))

    def _trapped(self, name: str) -> None:
        world = self._world
        if name not in world.relayers:
            return
        world.note("world", f"{name} dies")
        world.kill_relayer(name)

        def start() -> None:
            if name not in world.relayers:
                world.note("world", f"{name} starts")
                world.start_relayer(name)

        self._later(8 * SECOND, start)

    def _trap(self) -> None:
        self._world.trap = (self._chance.choice(RELAYERS), self._chance.choice(WRITES))

    def _pause_relayer(self) -> None:
        if self._world.relayers:
            relayer = self._world.relayers[self._chance.choice(sorted(self._world.relayers))]
            self._world.note("world", f"{relayer.board.name} stands still")
            relayer.process.is_paused = True
            self._later(12 * SECOND, lambda: setattr(relayer.process, "is_paused", False))

    def _kill_adapter(self) -> None:
        town = self._chance.choice(list(self._world.towns.values()))
        if town.process is None:
            return
        self._world.note("world", f"{town.peer} dies")
        town.die()

        def start() -> None:
            if town.process is None:
                self._world.attach(town)

        self._later(6 * SECOND, start)

    def _pause_adapter(self) -> None:
        process = self._chance.choice(list(self._world.towns.values())).process
        if process is not None:
            process.is_paused = True
            self._later(8 * SECOND, lambda: setattr(process, "is_paused", False))

    def _cut(self) -> None:
        self._cut_one(half=False)

    def _half_open(self) -> None:
        self._cut_one(half=True)

    def _cut_one(self, *, half: bool) -> None:
        wires = list(self._world.network.wires)
        if wires:
            wire = self._chance.choice(wires)
            reader = wire.down.reader
            assert reader is not None
            self._world.loop.after(reader, 0, lambda: wire.cut(half=half))

    def _partition(self) -> None:
        weather = self._world.network.weather
        weather.silent.add((self._city(), self._chance.choice(RELAYERS)))
        self._later(15 * SECOND, self._world.network.heal)

    def _deaf(self) -> None:
        ends = [self._city(), self._chance.choice(RELAYERS)]
        self._chance.shuffle(ends)
        self._world.network.weather.deaf.add((ends[0], ends[1]))
        self._later(15 * SECOND, self._world.network.heal)

    def _no_database(self) -> None:
        for relayer in self._some_relayers():
            link = relayer.link
            link.is_cut = True
            self._later(8 * SECOND, lambda link=link: setattr(link, "is_cut", False))  # type: ignore[misc]

    def _lossy(self) -> None:
        for relayer in self._some_relayers():
            relayer.link.lost_in = self._chance.choice((10, 50, 200))
            relayer.link.hints_lost_in = self._chance.choice((0, 300, 1000))

    def _late(self) -> None:
        for relayer in self._some_relayers():
            link = relayer.link
            link.late_in = self._chance.choice((5, 30, 100))
            self._later(15 * SECOND, lambda link=link: setattr(link, "late_in", 0))  # type: ignore[misc]

    def _lie(self) -> None:
        town = self._chance.choice(list(self._world.towns.values()))
        town.will.lies_in = self._chance.choice((1, 2))
        town.has_lied = True
        self._later(20 * SECOND, lambda: setattr(town.will, "lies_in", 0))

    def _refuse(self) -> None:
        town = self._chance.choice(list(self._world.towns.values()))
        town.will.refuses_in = self._chance.choice((1, 2, 3))
        self._later(6 * SECOND, lambda: setattr(town.will, "refuses_in", 0))

    def _slow(self) -> None:
        self._world.network.weather.longest = self._chance.choice((50, 300, 1500)) * MILLISECOND
        self._later(10 * SECOND, self._world.network.heal)

    def _skew(self) -> None:
        for relayer in self._some_relayers():
            relayer.clock.skew = self._chance.randrange(-60 * SECOND, 60 * SECOND)
        town = self._chance.choice(list(self._world.towns.values()))
        town.clock.skew = self._chance.randrange(-3600 * SECOND, 3600 * SECOND)
        town.chain_clock.skew = self._chance.randrange(-4 * SECOND, 4 * SECOND)

    def _stall(self) -> None:
        process = self._chance.choice(list(self._world.towns.values())).chain_process
        process.is_paused = True
        self._later(10 * SECOND, lambda: setattr(process, "is_paused", False))

    def _pause_lane(self) -> None:
        registry = self._world.registry
        key = self._chance.choice(self._world.lanes)
        done(registry.lanes.pause(key, "inspection", ADMIN))
        self._later(10 * SECOND, self._resume_lanes)

    def _resume_lanes(self) -> None:
        for key in self._world.lanes:
            done(self._world.registry.lanes.resume(key, ADMIN))

    def _some_relayers(self) -> list:  # type: ignore[type-arg]
        found = list(self._world.relayers.values())
        return (
            self._chance.sample(found, self._chance.randrange(1, len(found) + 1)) if found else []
        )

    def _city(self) -> str:
        return self._chance.choice(list(self._world.towns))
