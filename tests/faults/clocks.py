"""Wall clocks that step: of one process at a time, by libfaketime; the monotonic clock goes on.

Timeouts are the destination's own time in a verified header, leases the database's clock. So no
step makes a packet time out that has not, and no step takes a lease from who holds it. A relayer
whose clock is behind believes no header: it says so, and goes on when its clock is right. A hub
whose clock is a day behind believes no certificate of today: nobody is let in until it is right.

Source: reliability notes section 7.3 (R12); libfaketime's README.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hub.cli.clock import wall_clock
from hub.cli.dev.layout import CHAINS, HUB, RELAYER
from hub.core.errors import Reason
from hub.core.time import SECOND, Duration
from tests.faults.disks import log_lines, said
from tests.faults.fencing import epochs
from tests.faults.trial import NotFired, not_fired_unless
from tests.harness.network import HANGZHOU, SHANGHAI, SUZHOU
from tests.harness.traffic import a_packet_is_acknowledged, a_packet_passes, is_mute, load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from random import Random

    from tests.faults.trial import Site, Strike
    from tests.harness.network import LiveNetwork

ADAPTER: Final = "adapter"
"""Suzhou's."""
HOUR, DAY = 3600, 86_400
"""Seconds."""
NOTICED_S: Final = 30
NEAR_S: Final = 60
READ_S: Final = 3
"""Within which libfaketime has read its file again, of which it believes a second."""
_LIBRARY: Final = "*/faketime/libfaketimeMT.so.1"


class LibraryMissingError(AssertionError):
    """Clocks cannot be stepped here."""


def library() -> Path:
    """libfaketime. Raises ``LibraryMissingError``."""
    for place in (Path("/usr/lib"), Path("/usr/local/lib")):
        for found in place.glob(_LIBRARY):
            return found
    raise LibraryMissingError("clock steps need libfaketime: apt-get install libfaketime")


class Clock:
    """The wall clock of one process."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(0)

    def set(self, offset_s: int) -> None:
        """From now on it differs by that from the machine's."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{offset_s:+d}\n", encoding="ascii")
        new.replace(self._file)

    @property
    def environment(self) -> Mapping[str, str]:
        """What the process is started with."""
        return {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",
            "FAKETIME_CACHE_DURATION": "1",
        }


async def steps(site: Site, chance: Random, process: str, offsets: tuple[int, ...]) -> Duration:
    """As ``Strike``: the clock of *process* steps to each of *offsets* (s), and packets pass."""
    del chance
    live = site.live
    process = live.adapters[SUZHOU] if process == ADAPTER else process
    async with _stepping(live, process) as clock:
        held = await _held(live)
        began = wall_clock()
        for offset in offsets:
            clock.set(offset)
            await _shows(live, process, offset)
            await load(live)
            await a_packet_passes(live)
            await a_packet_passes(live, HANGZHOU, SHANGHAI)
        took = Duration(wall_clock() - began)
        assert await _held(live) == held, "a lease changed hands"
        await _nothing_refunded(live)
    return took


async def behind(site: Site, chance: Random, process: str, offset: int) -> Duration:
    """As ``Strike``: a relayer's clock is *offset* (s) behind; until packets pass once it is right.

    It refuses headers of a time that has not come, and says so; it holds its leases.
    """
    del chance
    live = site.live
    async with _stepping(live, process) as clock:
        held, before = await epochs(live), _refusals(live)
        await load(live)
        clock.set(offset)

        async def it_is_said() -> bool:
            return _refusals(live) > before

        await not_fired_unless(it_is_said, NOTICED_S, "no header was refused")
        lane = live.lane(HANGZHOU, SUZHOU)
        late = (await live.send(lane, 1)).first_sequence
        assert await live.state(lane, late) in {"", "ACCEPTED"}
        assert await epochs(live) == held, "a lease changed hands"
        began = wall_clock()
        clock.set(0)
        await live.reached(lane, late, "COMPLETED")
        await _nothing_refunded(live)
        return Duration(wall_clock() - began)


async def hub_behind(site: Site, chance: Random, offset: int) -> Duration:
    """As ``Strike``: the hub's clock is *offset* (s) behind; until it answers once it is right.

    It refuses certificates of a time that has not come; packets go on without it.
    """
    del chance
    live = site.live
    async with _stepping(live, HUB) as clock:
        held = await _held(live)
        clock.set(offset)
        await not_fired_unless(lambda: is_mute(live, HUB), NOTICED_S, "the hub answers")
        await a_packet_is_acknowledged(live)
        assert await _held(live) == held, "a lease changed hands"
        began = wall_clock()
        clock.set(0)
        await live.until(lambda: live.network.answers(HUB), HUB)
        took = Duration(wall_clock() - began)
        await a_packet_passes(live)
        await _nothing_refunded(live)
    return took


def faults() -> dict[str, Strike]:
    """By row of the table."""
    found: dict[str, Any] = {}
    for process in (RELAYER, HUB, ADAPTER):
        for name, offsets in {
            "+1 h": (HOUR,),
            "+1 d": (DAY,),
            "+1 h, then back": (HOUR, 0),
            "+1 d, then +1 h": (DAY, HOUR),
        }.items():
            found[f"{process} {name}"] = partial(steps, process=process, offsets=offsets)
    for process in (HUB, ADAPTER):
        found[f"{process} -1 h"] = partial(steps, process=process, offsets=(-HOUR, 0))
    found[f"{HUB} -1 d"] = partial(hub_behind, offset=-DAY)
    found[f"{RELAYER} -1 h"] = partial(behind, process=RELAYER, offset=-HOUR)
    found[f"{RELAYER} -1 d"] = partial(behind, process=RELAYER, offset=-DAY)
    found["chain +5 s"] = partial(steps, process=SUZHOU, offsets=(5,))
    found["chain -1 h, then right"] = partial(steps, process=SUZHOU, offsets=(-HOUR, 0))
    return found


@asynccontextmanager
async def _stepping(live: LiveNetwork, process: str) -> AsyncIterator[Clock]:
    """*process* runs anew, by a clock that can be moved."""
    clock = Clock(live.network.layout.directory / f"{process}.clock")
    before = await _epochs_before(live, process)
    await live.kill(process)
    live.network.launch(process, clock.environment)
    try:
        await live.until(lambda: live.network.answers(process), process)
        await _attached_anew(live, before)
        await a_packet_passes(live)
        yield clock
    finally:
        before = await _epochs_before(live, process)
        await live.kill(process)
        await live.network.start(process)
        await _attached_anew(live, before)


async def _epochs_before(live: LiveNetwork, process: str) -> dict[str, int]:
    """The epochs of leases that end with *process*."""
    return await epochs(live) if process == RELAYER else {}


async def _attached_anew(live: LiveNetwork, before: dict[str, int]) -> None:
    """Every city has a session, and a newer lease than it had *before*."""

    async def all_have() -> bool:
        now = await epochs(live)
        return all(now[peer] > epoch for peer, epoch in before.items())

    await live.until(all_have, "new leases")
    await live.attached(*map(str, CHAINS))


async def _nothing_refunded(live: LiveNetwork) -> None:
    """No packet has timed out: all of them have an hour, by their destination's own time."""
    await live.ended()
    for peer in (HANGZHOU, SUZHOU):
        ledger: Any = await live.ledger(peer)
        refunded = [effect.sequence for effect in ledger.effects if effect.timed_out]
        assert refunded == [], f"{peer} refunded {refunded[:5]}"


async def _held(live: LiveNetwork) -> dict[str, int]:
    """The leases of peers that are not told to dial anew."""
    return {peer: epoch for peer, epoch in (await epochs(live)).items() if peer != SUZHOU}


async def _shows(live: LiveNetwork, process: str, offset: int) -> None:
    """The process has the new time: the relayer's log is stamped with it."""
    number = live.network.number(process)
    if number is None or not _is_loaded(number):
        raise NotFired(f"{process} has a clock of its own")
    if process != RELAYER:
        await asyncio.sleep(READ_S)
        return

    async def it_is_stamped() -> bool:
        # A session that begins is logged.
        await live.dial(SUZHOU)
        stamp = log_lines(live, RELAYER)[-1]["timestamp"]
        at = datetime.fromisoformat(str(stamp)).timestamp()
        return abs(at - wall_clock() / SECOND - offset) < NEAR_S

    await not_fired_unless(it_is_stamped, NOTICED_S, "the clock did not step")
    await live.attached(*map(str, CHAINS))


def _is_loaded(number: int) -> bool:
    return library().name in Path(f"/proc/{number}/maps").read_text(encoding="utf-8")


def _refusals(live: LiveNetwork) -> int:
    names = (RELAYER, *map(str, CHAINS))
    return sum(said(live, name, Reason.HEADER_FROM_FUTURE) for name in names)
