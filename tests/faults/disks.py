"""Disks that are full: nothing is accepted that is not durable, and all goes on once there is room.

Each of PostgreSQL's data, the chains' and their adapters' logs, and what processes say lies on a
small file system in memory, which only root can mount. Elsewhere these faults cannot be: they are
left out only when that is asked for.

Source: reliability notes section 7.3 (R8).
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from contextlib import ExitStack, contextmanager, suppress
from errno import ENOSPC
from functools import partial
from typing import TYPE_CHECKING, Final

from hub.cli.clock import wall_clock
from hub.cli.dev.layout import CHAINS, POSTGRES, RELAYER
from hub.core.errors import Reason
from hub.core.time import Duration
from tests.faults.pairs import keep_up
from tests.faults.trial import not_fired_unless
from tests.harness.network import HANGZHOU, SHANGHAI, SUZHOU
from tests.harness.traffic import a_packet_passes, load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from random import Random

    from tests.faults.trial import Site, Strike
    from tests.harness.network import LiveNetwork

ROOMS: Final = {"pg": 400, "chains": 96, "adapters": 32, "logs": 48}
"""Directories of a network, and how many MiB they have."""
FULL_S: Final = 30
_BALLAST: Final = "ballast"
_CHUNK: Final = b"\0" * (1 << 20)
_SAYS: Final = ('{"detail": "[Errno 28]', '{"error": "[Errno 28]')
"""How lines begin that tell of a full disk: they are no complaint here."""


class MountRefusedError(AssertionError):
    """Small file systems cannot be had here."""


@contextmanager
def mounted(directory: Path) -> Iterator[None]:
    """The directories of the network in *directory* are small file systems of their own.

    Raises ``MountRefusedError``.
    """
    with ExitStack() as stack:
        for name, room in ROOMS.items():
            place = directory / name
            place.mkdir(parents=True, exist_ok=True)
            options = ["-t", "tmpfs", "-o", f"size={room}m,mode=0711", "tmpfs", str(place)]
            done = subprocess.run(
                ["mount", *options], check=False, capture_output=True, text=True, timeout=10
            )
            if done.returncode != 0:
                raise MountRefusedError(f"disk faults need root and tmpfs: {done.stderr.strip()}")
            stack.callback(_unmount, place)
        yield


def _unmount(place: Path) -> None:
    subprocess.run(["umount", "-l", str(place)], check=True, timeout=10)


@contextmanager
def full(live: LiveNetwork, *names: str) -> Iterator[None]:
    """The directories have no room left."""
    places = [live.network.layout.directory / name for name in names]
    try:
        for place in places:
            _fill(place)
        yield
    finally:
        for place in places:
            (place / _BALLAST).unlink(missing_ok=True)


def _fill(place: Path) -> None:
    assert place.is_mount(), f"{place} is no small file system"
    with (place / _BALLAST).open("ab", buffering=0) as ballast:
        size = len(_CHUNK)
        while size:
            try:
                ballast.write(_CHUNK[:size])
            except OSError as error:
                if error.errno != ENOSPC:
                    raise
                size //= 2


async def database(site: Site, chance: Random) -> Duration:
    """As ``Strike``: PostgreSQL's disk is full until the relayer says so, or the server ends.

    A server that ended is started again by its supervisor: here that is the trial.
    """
    del chance
    live = site.live
    before = said(live, RELAYER, Reason.REGISTRY_UNREACHABLE)
    with full(live, "pg"):

        async def it_is_noticed() -> bool:
            # Pages and log segments that were made before last for some writes.
            await load_anyway(live)
            gone = live.network.number(POSTGRES) is None
            return gone or said(live, RELAYER, Reason.REGISTRY_UNREACHABLE) > before

        await not_fired_unless(it_is_noticed, FULL_S, "the database wrote on")
    began = wall_clock()
    if live.network.number(POSTGRES) is None:
        await live.start_postgres()
    await _passes(live)
    return Duration(wall_clock() - began)


async def city(site: Site, chance: Random) -> Duration:
    """As ``Strike``: chains make no block, and adapters keep no answer, while there is no room."""
    del chance
    live = site.live
    live.may_say = (*live.may_say, *_SAYS)
    refused = {peer: _events(live, peer, "block_refused") for peer in map(str, CHAINS)}
    await load_anyway(live)
    with full(live, "chains", "adapters"):

        async def it_is_noticed() -> bool:
            # A page that a file has holds some blocks yet.
            now = {peer: _events(live, peer, "block_refused") for peer in refused}
            return all(now[peer] > refused[peer] for peer in refused)

        await not_fired_unless(it_is_noticed, FULL_S, "a chain wrote on")
        heights = await _heights(live)
        await asyncio.sleep(1)
        assert await _heights(live) == heights, "blocks were made that are not durable"
    began = wall_clock()
    await _passes(live)
    return Duration(wall_clock() - began)


async def logs(site: Site, chance: Random) -> Duration:
    """As ``Strike``: nothing can be logged, and everything goes on all the same."""
    del chance
    live = site.live
    numbers = [live.network.number(name) for name in live.network.names]
    sizes = _sizes(live)
    with full(live, "logs"):
        began = wall_clock()
        await load(live)
        await live.dial(SUZHOU)
        await _passes(live)
        took = Duration(wall_clock() - began)
    assert [
        number == live.network.number(name)
        for name, number in zip(live.network.names, numbers, strict=True)
        if not name.startswith(SUZHOU)
    ].count(False) == 0, "a process ended because it could not log"
    await live.dial(SUZHOU)
    await _passes(live)
    await not_fired_unless(partial(_grew, live, sizes), FULL_S, "nobody logs any more")
    # A line may be cut where the room ended; whole ones are complaints as ever.
    whole = [line for line in live.complaints() if _is_whole(line.partition(": ")[2])]
    assert whole == []
    return took


def _is_whole(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return not line.startswith("{") and line.strip() != ""
    return True


FAULTS: Final[dict[str, Strike]] = {
    "PostgreSQL's data": database,
    "chains and accepted logs": city,
    "what processes say": logs,
}


async def load_anyway(live: LiveNetwork) -> None:
    """Packets are sent where chains take them."""
    for source, to in ((HANGZHOU, SUZHOU), (SUZHOU, HANGZHOU)):
        await live.send(live.lane(source, to), 100)


async def _passes(live: LiveNetwork) -> None:
    async def all_run() -> bool:
        await keep_up(live)
        return await live.network.answers(RELAYER)

    await live.until(all_run, "every process")
    await a_packet_passes(live)
    await a_packet_passes(live, HANGZHOU, SHANGHAI)


async def _heights(live: LiveNetwork) -> list[int]:
    return [(await live.ledger(peer, totals_only=True)).height for peer in map(str, CHAINS)]


def log_lines(live: LiveNetwork, process: str) -> list[dict[str, object]]:
    found = []
    for line in live.network.layout.log(process).read_text(errors="replace").splitlines():
        with suppress(ValueError):
            found.append(json.loads(line))
    return found


def said(live: LiveNetwork, process: str, reason: Reason) -> int:
    return sum(line.get("reason") == reason for line in log_lines(live, process))


def _events(live: LiveNetwork, process: str, event: str) -> int:
    return sum(line.get("event") == event for line in log_lines(live, process))


def _sizes(live: LiveNetwork) -> dict[str, int]:
    directory = live.network.layout.log(RELAYER).parent
    return {file.name: file.stat().st_size for file in directory.glob("*.log")}


async def _grew(live: LiveNetwork, before: dict[str, int]) -> bool:
    now = _sizes(live)
    return all(
        now[name] > before[name] for name in (f"{RELAYER}.log", f"{live.adapters[SUZHOU]}.log")
    )
