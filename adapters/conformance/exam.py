"""Everything that the items of one exam share: both chains, the session, and what was built so far.

What several items need (a client, a pair of lanes, a packet that was received) is made once, when
the first of them asks for it. Where that fails the others are not examinable.

The examiner is a relayer and a hub to the adapter, and nothing but its stream is looked at. What a
hub would believe only by proof is believed here only by proof.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar, cast

from ydhub.relay.v1 import relay_pb2 as pb

from adapters.conformance import mirrors
from adapters.conformance.demand import Failed, NotExaminable, demand, proven
from adapters.conformance.follower import Follower
from adapters.conformance.intake import Intake
from adapters.conformance.watch import SESSIONS
from hub.core.errors import AdapterOffline, HeaderNotFound, HubError
from hub.core.lane import LaneKey, Side
from hub.core.ranges import EMPTY
from hub.core.time import MILLISECOND, SECOND, Duration
from hub.wire.frames import headers_from_proto
from hub.wire.headers import header_to_proto, height_to_proto

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from adapters.conformance.counterparty import Counterparty
    from adapters.conformance.intake import Book
    from adapters.conformance.mirrors import Mirror
    from adapters.conformance.relay import Relay
    from adapters.conformance.sender import Sender
    from adapters.conformance.session import Session
    from adapters.conformance.updates import Step
    from adapters.conformance.watch import Watch
    from adapters.sdk.clock import Clock
    from hub.core.client import Anchor, Header
    from hub.core.ids import ClientId, PeerId

    T = TypeVar("T")

EXAMINER: Final = cast("PeerId", "examiner")
"""The examiner's own peer name, unless its operator chooses another."""
RELAYER: Final = "ydhub-conformance"
ITEM_CREDITS: Final = 1024
LOOK_AGAIN: Final = Duration(250 * MILLISECOND)
"""What a block has done is proven under the next one's header; whoever waits for it asks again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long things may take (ns); a slow chain is given more."""

    dial: Duration = Duration(30 * SECOND)
    """Until the adapter dials, or dials again."""
    shown: Duration = Duration(30 * SECOND)
    """Until what the chain has done is shown."""
    quiet: Duration = Duration(2 * SECOND)
    """After which what was not shown again is taken to be shown once."""
    life: Duration = Duration(6 * SECOND)
    """Of a packet that shall time out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Who is examined, and against what."""

    peer: PeerId
    """The adapter's, as its certificate must say."""
    anchor: Anchor
    """Of its chain, from the operator's own file."""
    examiner: PeerId = EXAMINER
    """The peer by which its operator has configured the examiner's anchor."""


class Exam:
    """One exam."""

    def __init__(
        self,
        subject: Subject,
        relay: Relay,
        counterparty: Counterparty,
        *,
        sender: Sender | None,
        watch: Watch,
        clock: Clock,
        patience: Patience,
    ) -> None:
        """Nobody has dialled."""
        self.subject = subject
        self.counterparty = counterparty
        self.watch = watch
        self.clock = clock
        self.patience = patience
        self.follower = Follower(subject.anchor, self, clock)
        self.intake = Intake(self.follower, watch)
        self.opening = f"openings/exam-{counterparty.newest}"
        self.trusted: dict[ClientId, tuple[int, ...]] = {}
        """By client on the adapter's chain: heights of the examiner's chain that it trusts."""
        self.refunded = EMPTY
        """Packets of the adapter's chain that have timed out."""
        self.received_before = 0
        """Units of the examiner's token that the receiver held beyond what this exam sent."""
        self._relay = relay
        self._sender = sender
        self._session: Session | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._made: dict[str, object] = {}

    @property
    def sender(self) -> Sender:
        """The users of the adapter's chain. Raises ``NotExaminable``."""
        if self._sender is None:
            raise NotExaminable("no sender is named (--sender): nobody sends from the chain")
        return self._sender

    async def once(self, item: str, make: Callable[[], Awaitable[T]]) -> T:
        """What *make* returns, made once; *item* is the one whose business it is.

        Raises ``NotExaminable`` where it was tried before and failed.
        """
        if item not in self._made:
            try:
                self._made[item] = await make()
            except (Failed, HubError, NotExaminable) as error:
                self._made[item] = error
                raise
        found = self._made[item]
        if isinstance(found, Exception):
            raise NotExaminable(f"it needs what {item} asks, which did not pass: {found}")
        return cast("T", found)

    async def dialled(self) -> Session:
        """The next stream of the adapter, whose hello has come. Raises ``Failed``."""
        self.leave()

        def newest() -> Session | None:
            found = [session for session in self._relay.arrived if not session.is_over]
            return found[-1] if found else None

        wanted = "that the adapter dials, and says hello"
        session = await self.watch.until(newest, self.patience.dial, wanted)
        self._relay.arrived.clear()
        return cast("Session", session)

    async def attached(self) -> Session:
        """The session that is open; else the next one, welcomed as a relayer does."""
        if self._session is not None and not self._session.is_over:
            return self._session
        return self.welcomed(await self.dialled())

    def welcomed(self, session: Session, *, item_credits: int = ITEM_CREDITS) -> Session:
        """*session*, welcomed with all that is durable; frames are worked on from now on."""
        newest = self.follower.newest
        welcome = pb.Welcome(
            protocol_version=1,
            relayer=RELAYER,
            cursors=self.intake.resume(),
            client_height=newest.height.number if newest else 0,
            anchor_height=self.subject.anchor.height.number,
            item_credits=item_credits,
        )
        session.welcome(welcome)
        self.watch.seen[SESSIONS] += 1
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self.intake.run(session)), loop.create_task(session.beat())]
        self._session = session
        return session

    def leave(self, error: HubError | None = None) -> None:
        """The open session, if there is one, is cut off."""
        session, self._session = self._session, None
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        if session is None:
            return
        wanted = "sessions that last until the relayer ends them, or gives a reason to"
        self.watch.hold(SESSIONS, not session.is_over or session.may_end, wanted, "an end before")
        if not session.is_over:
            session.end(error or AdapterOffline(peer=self.subject.peer))

    async def ask_header(self, number: int) -> Header:
        """The adapter's header of that block, unverified. Raises ``HubError`` or ``Failed``."""
        session = await self.attached()
        answer = await session.ask(headers=pb.HeaderRequest(heights=[number]))
        found = headers_from_proto(answer.headers) if answer.HasField("headers") else ()
        if len(found) != 1:
            raise HeaderNotFound(client=f"the adapter of {self.subject.peer}", height=number)
        return found[0]

    async def mirror(self, client: ClientId) -> Mirror:
        """The client as the chain proves it now. Raises ``Failed``."""
        session = await self.attached()
        query = pb.ClientQuery(client=client)
        mirror = await mirrors.read(await session.ask(client=query), self.follower)
        demand(mirror.client == client, f"the client {client}", mirror.client)
        self.trusted[client] = mirror.trusted
        return mirror

    async def mirrored(
        self, client: ClientId, holds: Callable[[Mirror], bool], expected: str
    ) -> Mirror:
        """The client as soon as a header proves what *holds* of it. Raises ``Failed``."""
        deadline = self.clock.monotonic() + self.patience.shown
        while not holds(mirror := await self.mirror(client)):
            if self.clock.monotonic() >= deadline:
                raise Failed(expected, str(mirror.state))
            await self.clock.sleep(LOOK_AGAIN)
        return mirror

    async def updates(self, mirror: Mirror, target: int) -> list[pb.UpdateStep]:
        """Updates that make a client trust the examiner's header at *target*."""
        trusted = self.trusted.get(mirror.client, mirror.trusted)
        if target in trusted:
            return []
        below = max([height for height in trusted if height < target], default=0)
        steps: list[pb.UpdateStep] = []
        if not below:
            below = mirror.pending
            demand(0 < below <= target, "a client that trusts a height, or waits for one", trusted)
            anchor = await self.counterparty.header(below)
            steps.append(pb.UpdateStep(header=header_to_proto(anchor)))
        options = mirror.state.options
        return steps + _steps(await self.counterparty.steps(below, target, options))

    async def execute(self, execution: pb.Execution) -> pb.ExecutionReport:
        """What the chain made of *execution*, by its report. Raises ``Failed``."""
        session = await self.attached()
        report = await session.report(session.begin(execution))
        if report.trusted_heights:
            heights = tuple([height.number for height in report.trusted_heights])
            self.trusted[cast("ClientId", execution.client)] = heights
        return report

    async def lanes(self, here: Mirror, there: ClientId) -> tuple[Book, Book]:
        """The lanes that leave and that arrive over *here*, bound to *there*: the adapter is told.

        Raises ``Failed``.
        """
        out = LaneKey(self.subject.peer, here.client, self.subject.examiner, there)
        session = await self.attached()
        books = (
            self.intake.open(out, Side.SOURCE),
            self.intake.open(out.reverse, Side.DESTINATION),
        )
        session.say(lanes=pb.LaneCursors(cursors=[book.cursor for book in books]))
        return books

    async def teach(self, height: int, chain: Counterparty | None = None) -> None:
        """The examiner's chain trusts the adapter's header at *height*.

        Its first client does, unless it is seen by another one in *chain*.
        """
        chain = chain or self.counterparty
        with proven(f"headers that lead the examiner's client to height {height}"):
            trusted = chain.trusted()
            if height not in trusted:
                below = max(number for number in trusted if number < height)
                chain.update(await self.follower.steps(below, height))

    async def prove(
        self, keys: Sequence[bytes], height: int = 0, *, batch: bool = False
    ) -> pb.Answer:
        """The adapter's answer to a request for proofs; 0 is the newest height."""
        request = pb.ProofRequest(keys=keys, batch=batch)
        if height:
            state = self.follower.state(height)
            request.height.CopyFrom(height_to_proto(state.height))
        session = await self.attached()
        answer = await session.ask(proofs=request)
        # Headers that were shown before it are worked on first.
        await session.work.join()
        return answer

    async def quiet(self) -> None:
        """A while in which whatever is shown again would have come."""
        await self.clock.sleep(self.patience.quiet)


def _steps(steps: list[Step]) -> list[pb.UpdateStep]:
    return [
        pb.UpdateStep(
            trusted_height=height_to_proto(step.trusted_height) if step.trusted_height else None,
            header=header_to_proto(step.header),
            trusted_validators=step.trusted_validators,
        )
        for step in steps
    ]
