from __future__ import annotations

import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.sdk.execution import ExecutionResult
from hub.core.lane import Side
from hub.core.packet import MAX_PAYLOAD_BYTES
from hub.core.ranges import RangeSet
from hub.core.time import SECOND, Duration
from tests.harness.attached import Attached, cursor, headers, receive, sequences, shown
from tests.harness.city import OUT
from tests.harness.clock import until


def foreign() -> pb.LaneCursor:
    """A cursor that names a client of another lane."""
    wrong = cursor()
    wrong.client = "07-tendermint-99"
    return wrong


async def test_the_hello_says_who_dials_and_frame_ids_rise_from_one(both: Attached) -> None:
    session = await both.relayer.attached()
    frame = await session.expect("hello")
    assert session.peer == "hangzhou"
    assert frame.frame_id == 1
    assert frame.hello == pb.Hello(
        protocol_versions=[1],
        adapter="paper 1",
        chain_id="hangzhou-1",
        order_enforceable=True,
        execution_credits=2,
    )
    session.welcome()
    both.chain.grow()
    assert (await session.next()).frame_id == 2


async def test_the_anchors_header_is_shown_first_where_the_hub_has_none(both: Attached) -> None:
    both.chain.height = 9
    session = await both.session(cursor(), client_height=0, anchor_height=4)
    await headers(session, 4)
    await headers(session, 9)


async def test_a_welcome_that_does_not_come_ends_the_session(both: Attached) -> None:
    session = await both.relayer.attached()
    await session.expect("hello")
    await until(lambda: both.clock.is_awaited)
    await both.clock.advance(Duration(20 * SECOND))
    await session.gone()


@pytest.mark.parametrize(
    "frame",
    [
        pb.RelayerFrame(heartbeat=pb.Heartbeat()),
        pb.RelayerFrame(welcome=pb.Welcome(protocol_version=2)),
        pb.RelayerFrame(welcome=pb.Welcome(protocol_version=1, cursors=[pb.LaneCursor()])),
        pb.RelayerFrame(welcome=pb.Welcome(protocol_version=1, cursors=[foreign()])),
        pb.RelayerFrame(welcome=pb.Welcome(protocol_version=1, cursors=[cursor(first=0)])),
    ],
    ids=[
        "no welcome",
        "another version",
        "a cursor of no lane",
        "a cursor with another lane's client",
        "a cursor without a first sequence",
    ],
)
async def test_a_welcome_that_is_none_ends_the_session(
    both: Attached, frame: pb.RelayerFrame
) -> None:
    session = await both.relayer.attached()
    await session.expect("hello")
    session.outbound.put_nowait(frame)
    await session.gone()


async def test_heartbeats_go_out_every_second(both: Attached) -> None:
    session = await both.session()
    for _ in range(3):
        await both.heard(session)
        await both.clock.advance(SECOND)
        await session.heartbeat()


async def test_three_silent_seconds_end_a_session_whose_stream_still_stands(both: Attached) -> None:
    session = await both.session()
    await both.clock.advance(Duration(3 * SECOND))
    await session.gone()
    await both.redialled()


async def test_a_drain_finishes_what_is_in_flight_and_takes_nothing_new(both: Attached) -> None:
    session = await both.session(cursor())
    both.chain.send(range(1, 3))
    await headers(session, 2)
    frame = await session.expect("packets")
    session.say(execution=receive(1, 1))
    await both.chain.executions.get()
    session.say(drain=pb.Drain())
    await both.heard(session)
    both.chain.send(range(3, 5))
    session.accept(frame, [(1, 2)])
    both.chain.results.put_nowait(ExecutionResult(executed=RangeSet.of([1])))
    assert (await session.next()).WhichOneof("body") == "report"
    await session.gone()
    assert both.log.accepted(OUT, Side.SOURCE) == RangeSet.span(1, 3)
    session = await both.redialled(cursor(done=((1, 2),)), client_height=2)
    await session.expect("headers")
    assert sequences(await session.expect("packets")) == [3, 4]


async def test_a_drain_that_never_ends_is_cut(both: Attached) -> None:
    session = await both.session(cursor())
    both.chain.send(range(1, 3))
    await headers(session, 2)
    await session.expect("packets")
    session.say(drain=pb.Drain())
    await until(lambda: both.client._session and both.client._session.pump._is_draining)
    await both.advance(session, 9)
    await both.clock.advance(SECOND)
    await session.gone()


async def test_silence_ends_a_session_whose_writes_are_stuck(both: Attached) -> None:
    both.relayer.is_deaf = True
    both.chain.send(range(1, 65), size=MAX_PAYLOAD_BYTES)
    session = await both.session(cursor())
    pump = both.client._session.pump  # type: ignore[union-attr]
    await until(pump._stream._sending.locked)
    await both.clock.advance(Duration(3 * SECOND))
    both.relayer.is_deaf = False
    again = await both.redialled(cursor())
    assert session is not again
    assert len(sequences(await shown(again))) > 0


async def test_a_second_welcome_ends_the_session(both: Attached) -> None:
    session = await both.session()
    session.welcome()
    await session.gone()


async def test_a_bug_in_the_chain_ends_one_session_and_the_next_goes_on(both: Attached) -> None:
    both.chain.failures = [RuntimeError("a bug")]
    both.chain.send(range(1, 3))
    session = await both.session(cursor())
    await session.gone()
    session = await both.redialled(cursor())
    await headers(session, 2)
    assert sequences(await session.expect("packets")) == [1, 2]
