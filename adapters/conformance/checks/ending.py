"""How sessions end: in peace, by silence, by an unknown version; and the adapter comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ydhub.relay.v1 import relay_pb2 as pb

from adapters.conformance import opening, traffic
from adapters.conformance.check import check
from adapters.conformance.demand import NotExaminable, demand
from adapters.conformance.intake import Treatment
from hub.core.errors import ProtocolUnsupported
from hub.core.time import SECOND, Duration

if TYPE_CHECKING:
    from adapters.conformance.exam import Exam

_UNKNOWN_VERSION: Final = 99
_SILENCE: Final = Duration(3 * SECOND)
_ENDS_WITHIN: Final = Duration(10 * SECOND)
"""After three seconds of silence, or of a drain in which all is answered."""


@check("relay.proto, Drain; design section 5 (SIGTERM drains)")
async def drain(exam: Exam) -> None:
    """Told to drain, the adapter ends what is in flight, shows nothing new, goes, and redials."""
    lanes = await opening.lanes(exam)
    exam.leave()
    session = exam.welcomed(await exam.dialled())
    exam.intake.treat = lambda _: Treatment.IGNORE
    try:
        sequences = await traffic.sent(exam, lanes, 1)
        seen = exam.intake.shown_of(lanes.out.key)
        wanted = f"packet {traffic.words(sequences)}, shown"
        await exam.watch.until(lambda: not sequences - seen(), exam.patience.shown, wanted)
        exam.counterparty.block()
        updates = await exam.updates(lanes.here, exam.counterparty.newest)
        number = session.begin(pb.Execution(client=lanes.here.client, updates=updates))
        session.may_end = True
        session.say(drain=pb.Drain())
        await session.report(number)
        before = len(session.kinds)
        later = await traffic.sent(exam, lanes, 1)
        await exam.quiet()
        demand(not session.is_over, "a session that stays until its packet is answered", "its end")
    finally:
        exam.intake.treat = lambda _: Treatment.ANSWER
    await exam.intake.answer_ignored()
    await session.gone(_ENDS_WITHIN, "the end of the session, once all is answered")
    new = [kind for kind in session.kinds[before:] if kind in {"packets", "acknowledgements"}]
    demand(not new, "nothing new after the drain", new)
    exam.welcomed(await exam.dialled())
    await traffic.taken(exam, lanes, later)


@check("design section 5 (redial after three silent heartbeats)")
async def silence(exam: Exam) -> None:
    """A relayer that is silent for three seconds is left, and dialled again."""
    session = await exam.attached()
    session.is_silent = session.may_end = True
    since = exam.clock.monotonic()
    limit = Duration(_SILENCE + _ENDS_WITHIN)
    await session.gone(limit, "the end of a session whose relayer is silent for 3 s")
    lasted = exam.clock.monotonic() - since
    # The last heartbeat may be a second old when the silence begins.
    least = _SILENCE - SECOND
    wanted = "patience of three heartbeats"
    demand(lasted >= least, wanted, f"the end after {lasted / SECOND:.1f} s")
    exam.welcomed(await exam.dialled())


@check("relay.proto, Welcome.protocol_version, Attach (PROTOCOL_UNSUPPORTED)")
async def wrong_version(exam: Exam) -> None:
    """Welcomed with a version that it does not speak, the adapter shows nothing, and redials."""
    session = await exam.dialled()
    if _UNKNOWN_VERSION in session.hello.protocol_versions:
        raise NotExaminable(f"the adapter claims to speak version {_UNKNOWN_VERSION}")
    session.welcome(pb.Welcome(protocol_version=_UNKNOWN_VERSION, relayer="ydhub-conformance"))
    await session.gone(_ENDS_WITHIN, "the end of a session of an unknown version")
    shown = [kind for kind in session.kinds if kind not in {"hello", "heartbeat"}]
    demand(not shown, "nothing shown in a version that is not spoken", shown)
    session = await exam.dialled()
    offered = str(list(session.hello.protocol_versions))
    session.end(ProtocolUnsupported(offered=offered, supported=str([_UNKNOWN_VERSION])))
    await session.gone(_ENDS_WITHIN, "the end of a session that the relayer has refused")
    exam.welcomed(await exam.dialled())
