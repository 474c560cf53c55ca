"""How a session begins, and what an adapter shows by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ydhub.relay.v1 import relay_pb2 as pb

from adapters.conformance import opening
from adapters.conformance.answers import demand_refusal, words
from adapters.conformance.check import check
from adapters.conformance.demand import demand, proven
from hub.core.errors import Reason
from hub.core.time import SECOND, Duration
from hub.wire.frames import MAX_HEADERS, headers_from_proto

if TYPE_CHECKING:
    from adapters.conformance.exam import Exam

_BEATS_WITHIN: Final = Duration(5 * SECOND)
_BEATS: Final = 3
"""Of five that are due: the machine may be busy, and three silent ones would end the session."""
_FAR: Final = 1_000_000
"""Blocks that no chain makes during an exam."""


@check("relay.proto, Hello; design section 6 (identity is a SPIFFE URI)")
async def hello(exam: Exam) -> None:
    """The first frame is a hello, of the right peer and chain, with version 1 and room to work."""
    session = await exam.dialled()
    said = session.hello
    kind = session.first.WhichOneof("body") if session.first is not None else None
    demand(kind == "hello", "a hello as the first frame", kind)
    wanted = f"/peers/{exam.subject.peer}"
    demand(session.identity.endswith(wanted), f"a certificate of …{wanted}", session.identity)
    demand(1 in said.protocol_versions, "protocol version 1", list(said.protocol_versions))
    chain_id = exam.subject.anchor.chain_id
    demand(said.chain_id == chain_id, f"the chain id {chain_id}", said.chain_id or "none")
    demand(said.adapter, "the adapter's name and version", "none")
    demand(said.execution_credits >= 1, "at least 1 execution credit", said.execution_credits)
    exam.welcomed(session)


@check("relay.proto, Heartbeat; design section 5 (every second)")
async def heartbeat(exam: Exam) -> None:
    """Once it is welcomed, the adapter sends a heartbeat every second."""
    session = await exam.attached()
    before = len(session.beats)
    wanted = f"at least {_BEATS} heartbeats within {_BEATS_WITHIN // SECOND} s"
    await exam.watch.until(lambda: len(session.beats) - before >= _BEATS, _BEATS_WITHIN, wanted)
    took = session.beats[before + _BEATS - 1] - session.beats[before]
    least = (_BEATS - 1) * SECOND // 2
    demand(took >= least, "heartbeats a second apart", f"{_BEATS} within {took / SECOND:g} s")


@check("design section 5, headers and client updates; relay.proto, Welcome.anchor_height")
async def headers_shown(exam: Exam) -> None:
    """The anchor's header is shown first, newer ones by themselves, and all verify."""
    await opening.followed(exam)


@check("relay.proto, HeaderRequest")
async def headers_on_request(exam: Exam) -> None:
    """Headers asked for come in the order asked for, and verify from the operator's anchor."""
    await opening.followed(exam)
    follower, session = exam.follower, await exam.attached()
    newest = follower.newest
    last = newest.height.number if newest is not None else 0
    first = max(exam.subject.anchor.height.number, last - 2)
    wanted = list(range(first, last + 1))
    answer = await session.ask(headers=pb.HeaderRequest(heights=wanted))
    demand(answer.HasField("headers"), f"headers {wanted}", words(answer))
    with proven("headers that verify"):
        found = headers_from_proto(answer.headers)
        came = [(await follower.add(header)).height.number for header in found]
    demand(came == wanted, f"headers {wanted} in this order", came)


@check("relay.proto, HeaderRequest, Refusal; errors/v1/reason.proto")
async def unknown_headers(exam: Exam) -> None:
    """Headers that are not there, or too many at once, are refused with the reason of that."""
    await opening.followed(exam)
    session = await exam.attached()
    far = exam.subject.anchor.height.number + _FAR
    answer = await session.ask(headers=pb.HeaderRequest(heights=[far]))
    demand_refusal(answer, Reason.HEADER_NOT_FOUND)
    many = range(far, far + MAX_HEADERS + 1)
    answer = await session.ask(headers=pb.HeaderRequest(heights=many))
    demand_refusal(answer, Reason.LIMIT_EXCEEDED)


@check("relay.proto, Request (a oneof that a newer relayer may extend)")
async def unknown_request(exam: Exam) -> None:
    """A request of a kind that the adapter does not know is refused, and the session goes on."""
    session = await exam.attached()
    answer = await session.ask()
    demand_refusal(answer, Reason.FRAME_INVALID)
    demand(not session.is_over, "a session that goes on", "its end")
