"""``ydhub-server rehearse``: a registry of its own for a bench, which asks it line by line.

It reads one JSON document a line from its input, carries out what ``do`` names, answers with one
line, and ends with its input. Lanes are opened as if both chains had proven their clients, so it
refuses a registry in which anybody is.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec
from google.protobuf.json_format import ParseDict, ParseError
from ydhub.client.v1 import client_pb2

from hub.core.errors import FieldInvalid, HubError
from hub.core.ids import ClientId, PeerId  # noqa: TC001 - the decoder looks at the types
from hub.core.lane import LaneKey, Order
from hub.core.ranges import RangeSet
from hub.core.time import SECOND, Duration
from hub.ports.caller import Caller
from hub.ports.lanes import OpeningPlan
from hub.wire.anchors import anchor_from_proto

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from hub.ports.registry import Registry

BY: Final = Caller(identity="spiffe://ydhub.local/admins/bench")
OPENED_TOGETHER: Final = 4
UNFINISHED: Final = -1
"""In place of a count: there was no time to look at everything."""
_POLL_S: Final = 0.005


class Database(Protocol):
    """hub/registry/rehearsal.py."""

    async def use(self) -> Mapping[str, int]:
        """Its counters, by name."""
        ...

    async def server(self) -> tuple[str, int]:
        """The server's version, and the process behind the connection."""
        ...

    async def add_past(self, lane_ids: Sequence[int], packets: int) -> None:
        """Lanes have carried packets."""
        ...


class Opened(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pair of chain clients with the same native id."""

    client: ClientId
    left: PeerId
    right: PeerId

    @property
    def lanes(self) -> tuple[LaneKey, LaneKey]:
        """The lanes of both directions."""
        there = LaneKey(self.left, self.client, self.right, self.client)
        return there, there.reverse


class SetUp(msgspec.Struct, frozen=True, tag="set_up", tag_field="do", forbid_unknown_fields=True):
    """Peers are to be registered, lanes to be open, and to have carried packets before."""

    anchors: dict[PeerId, dict[str, Any]]
    """By peer: ``ydhub.client.v1.Anchor`` in proto JSON."""
    pairs: list[Opened]
    order: Order
    port: str
    """The route that is allowed is from it to it."""
    past: dict[str, int]
    """By lane's name: packets that it has carried."""


class Completed(msgspec.Struct, frozen=True, tag="completed", tag_field="do"):
    """Lanes are to have completed so many packets, by name, within so long."""

    lanes: dict[str, int]
    within_s: int


class Ask(msgspec.Struct, frozen=True, tag="use", tag_field="do"):
    """The counters are asked for."""


class Violations(msgspec.Struct, frozen=True, tag="violations", tag_field="do"):
    """How many rows break each invariant is asked for; ``UNFINISHED`` where nobody can tell."""

    within_s: int
    """What all of them may take."""


Command = SetUp | Completed | Ask | Violations
_COMMANDS: Final = msgspec.json.Decoder[Command](Command)


class Rehearsing:
    """Carries out what a bench asks."""

    def __init__(self, registry: Registry, database: Database) -> None:
        """On *registry*, which is in *database*."""
        self._registry = registry
        self._database = database
        self._ids: dict[LaneKey, int] = {}

    async def serve(
        self, read: Callable[[], Awaitable[bytes]], say: Callable[[bytes], None]
    ) -> None:
        """Every line is answered, until one is empty."""
        while line := await read():
            say(msgspec.json.encode(await self.answer(line)) + b"\n")

    async def answer(self, line: bytes) -> dict[str, Any]:
        """What *line* asks for; where it cannot be, ``failed`` says why."""
        try:
            match _COMMANDS.decode(line):
                case SetUp() as plan:
                    return await self._set_up(plan)
                case Completed(lanes=lanes, within_s=within_s):
                    return await self._completed(lanes, within_s)
                case Ask():
                    return dict(await self._database.use())
                case asked:  # Violations
                    within = Duration(asked.within_s * SECOND)
                    found = await self._registry.audit.violations(within)
                    return {
                        entry.invariant: entry.count if entry.is_finished else UNFINISHED
                        for entry in found
                    }
        except HubError as error:
            return {"failed": f"{error.reason}: {error}"}
        except (msgspec.DecodeError, ParseError) as error:
            return {"failed": f"not understood: {error}"}

    async def _set_up(self, plan: SetUp) -> dict[str, Any]:
        if await self._registry.peers.page("", 1):
            problem = "has peers already; a rehearsal wants a registry of its own"
            raise FieldInvalid(field="--database-url", problem=problem)
        for peer, content in plan.anchors.items():
            anchor = anchor_from_proto(ParseDict(content, client_pb2.Anchor()), "anchor")
            await self._registry.peers.register(peer, f"City {peer}", anchor, BY)
        room = asyncio.Semaphore(OPENED_TOGETHER)
        await asyncio.gather(*[self._open(pair, plan, room) for pair in plan.pairs])
        for name, packets in plan.past.items():
            lane_id = await self._lane_id(LaneKey.parse(name))
            await self._database.add_past([lane_id], packets)
        version, backend = await self._database.server()
        return {"version": version, "backend": backend}

    async def _open(self, pair: Opened, plan: SetUp, room: asyncio.Semaphore) -> None:
        async with room:
            opening = await self._registry.lanes.start_opening(
                OpeningPlan(
                    source=pair.left,
                    destination=pair.right,
                    source_client=pair.client,
                    destination_client=pair.client,
                    from_sequence=1,
                    order=plan.order,
                    allow_routes=((plan.port, plan.port),),
                ),
                BY,
            )
            keys = [(lane, 1) for lane in pair.lanes]
            await self._registry.lanes.finish_opening(opening.number, keys)

    async def _completed(self, lanes: dict[str, int], within_s: int) -> dict[str, Any]:
        """How many packets of each lane are complete, once they are enough or the time is over."""
        found: dict[str, int] = {}
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within_s
        for name, count in lanes.items():
            lane_id = await self._lane_id(LaneKey.parse(name))
            while (done := await self._count(lane_id)) < count:
                if loop.time() >= deadline:
                    break
                await asyncio.sleep(_POLL_S)
            found[name] = done
        return {"completed": found}

    async def _count(self, lane_id: int) -> int:
        """Packets of the lane that were acknowledged, and whose source has executed that."""
        view = await self._registry.lanes.view(lane_id)
        outcomes = RangeSet.span(0, view.destination.outcome_count)
        return len(view.source.progress & outcomes)

    async def _lane_id(self, key: LaneKey) -> int:
        if key not in self._ids:
            self._ids[key] = (await self._registry.lanes.get(key)).lane_id
        return self._ids[key]
