"""One run, from its seed alone."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from random import Random

import structlog

from hub.core.lane import Order
from tests.harness.exchange import HANGZHOU, SUZHOU
from tests.simulation.database import done
from tests.simulation.faults import Faults
from tests.simulation.loop import SECOND
from tests.simulation.model import Broken
from tests.simulation.world import Setup, World, make

ORDERS = (Order.UNORDERED, Order.UNORDERED, Order.BEST_EFFORT, Order.ENFORCED)
CALM = 3 * SECOND
"""Before the first fault, so that most runs begin with a session that stands."""
WITHIN = 240 * SECOND
"""After the faults have stopped every packet has ended within this (ns)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a run."""

    seed: int
    promise: str = ""
    """Which was broken; empty if none."""
    detail: str = ""
    digest: str = ""
    packets: int = 0
    steps: int = 0
    seconds: int = 0
    """Of the simulation."""
    counts: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a run is held to, where its seed shall not draw it."""

    order: Order | None = None
    faults: tuple[str, ...] = ()
    """Kinds; empty leaves them to the seed."""


DRAWN = Profile()
"""The seed draws everything."""


def run(seed: int, profile: Profile = DRAWN, *, keep: bool = False) -> Verdict:
    """What became of the run of *seed*; with *keep* every line of it."""
    chance = Random(f"setup {seed}")
    order = chance.choice(ORDERS)
    setup = Setup(order=profile.order or order, packets=chance.choice((6, 12, 24)))
    logging = structlog.get_config()
    world = make(seed, setup, keep=keep)
    lasts = chance.choice((10, 20, 40)) * SECOND
    faults = Faults(world, world.loop.now + CALM + lasts)
    promise = detail = ""
    try:
        count = chance.choice((0, 3, 6, 12, 24))
        _live(world, faults, max(count, 6 * bool(profile.faults)), profile.faults)
    except Broken as error:
        promise, detail = error.promise, str(error)
    except Exception as error:  # noqa: BLE001 - a bug of the simulation is one of the run
        promise, detail = "the run itself", f"{error!r} {traceback.format_exc()}"
    finally:
        world.kill_all()
        structlog.configure(**logging)
    return Verdict(
        seed=seed,
        promise=promise,
        detail=detail,
        digest=world.trace.digest,
        packets=len(world.model.fates),
        steps=world.loop.steps,
        seconds=world.loop.now // SECOND,
        counts=world.model.counts,
        faults=faults.counts,
        lines=world.trace.lines,
    )


def _live(world: World, faults: Faults, count: int, only: tuple[str, ...]) -> None:
    loop, model = world.loop, world.model
    start, until = loop.now, faults._until
    world.begin()
    for _ in range(world.setup.packets):
        at = world.chance.randrange(start, until)
        peer = world.chance.choice((HANGZHOU, SUZHOU))
        loop.call_at_ns(at, world.send, peer, context=loop.main.context)
    _go(world, start + CALM)
    faults.begin(count, only)
    _go(world, until)
    faults.stop()
    # Every user's transaction is in a block by then.
    _go(world, until + 3 * SECOND)
    is_over = _look(world, until + WITHIN)
    if not is_over:
        raise Broken("every packet ends", "; ".join(model.open_packets()[:8]))
    model.check_end()
    found = [one for one in done(world.registry.audit.violations()) if one.count]
    if found:
        raise Broken("the registry's invariants", str(found))
    if loop.faults:
        raise Broken("no fault of ours", str(loop.faults[0]))


def _look(world: World, limit: int) -> bool:
    """Whether everything ended before *limit*; looked at twice a second."""
    while world.loop.now < limit:
        _go(world, world.loop.now + SECOND // 2)
        if not world.model.open_packets():
            return True
    return False


def _go(world: World, until: int) -> None:
    """The run goes on *until* then (ns). Raises ``Broken`` or whatever a check met."""
    world.loop.run_until(lambda: bool(world.broken), until)
    if world.broken:
        raise world.broken[0]
