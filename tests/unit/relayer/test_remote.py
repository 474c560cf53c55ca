from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import (
    AdapterOffline,
    AnswerOverdue,
    ChainUnreachable,
    FrameInvalid,
    HubError,
    LimitExceeded,
    Reason,
    ShuttingDown,
)
from hub.core.time import SECOND
from hub.ports.forwarding import EXPIRES_AFTER, MAX_BYTES, ForwardedAnswer, ForwardKind
from hub.registry.memory import MemoryRegistry
from relayer.remote import Forwarder
from tests.harness.clock import ManualClock, settle
from tests.harness.registry import HANGZHOU, LEASE, acquire, register

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from google.protobuf.message import Message

    from hub.ports.leases import Fence
    from relayer.remote import RemoteSession

T = TypeVar("T")

HEADERS = pb.Request(headers=pb.HeaderRequest(heights=[7]))


class Asker:
    """West asks for Hangzhou; a test answers in the name of its owner."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.registry = MemoryRegistry(self.clock)
        self.forwarder = Forwarder(self.registry, self.clock, "west-1")
        self.fence: Fence | None = None
        self.kinds: list[ForwardKind] = []

    @property
    def session(self) -> RemoteSession:
        return self.forwarder.session(HANGZHOU)


async def asker() -> Asker:
    found = Asker()
    await register(found.registry, HANGZHOU)
    found.fence = await acquire(found.registry, HANGZHOU, "east-1")
    return found


async def answered(asker: Asker, work: Coroutine[object, object, T], answer: ForwardedAnswer) -> T:
    """What *work*, which asks once, makes of *answer*."""
    task = asyncio.ensure_future(work)
    await settle()
    assert asker.fence is not None
    (taken,) = await asker.registry.forwarding.take(asker.fence, 8)
    asker.kinds.append(taken.kind)
    await asker.registry.forwarding.answer(asker.fence, taken.number, answer)
    asker.forwarder.told(taken.number)
    await settle()
    assert task.done()
    return task.result()


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        (Reason.ADAPTER_OFFLINE, AdapterOffline),
        (Reason.LEASE_LOST, AdapterOffline),
        (Reason.SHUTTING_DOWN, ShuttingDown),
        (Reason.ANSWER_OVERDUE, AnswerOverdue),
        (Reason.CHAIN_ID_MISMATCH, ChainUnreachable),
        ("SOMETHING_NEW", ChainUnreachable),
    ],
)
async def test_a_refusal_is_the_error_that_a_local_session_would_raise(
    reason: str, error: type[HubError]
) -> None:
    found = await asker()
    with pytest.raises(error):
        await answered(found, found.session.request(HEADERS), ForwardedAnswer(b"", reason, "why"))


async def test_each_kind_is_asked_and_read_as_what_it_is() -> None:
    found = await asker()
    hello, report = pb.Hello(adapter="city"), pb.ExecutionReport(execution_id=3)
    answer = pb.Answer(headers=pb.HeaderBatch())
    session, sent = found.session, list[bool]()
    done = [
        await answered(found, session.introduced(), _as_answer(hello)),
        await answered(found, session.request(HEADERS), _as_answer(answer)),
        await answered(
            found, session.execute(pb.Execution(), lambda: sent.append(True)), _as_answer(report)
        ),
    ]
    await answered(found, session.have_header(7), ForwardedAnswer(b""))
    assert done == [hello, answer, report]
    assert sent == [True]
    assert found.kinds == [
        ForwardKind.HELLO,
        ForwardKind.REQUEST,
        ForwardKind.EXECUTION,
        ForwardKind.HEADER,
    ]


async def test_what_is_no_answer_is_refused() -> None:
    found = await asker()
    with pytest.raises(FrameInvalid):
        await answered(found, found.session.introduced(), ForwardedAnswer(b"\xff"))
    wrong = _as_answer(pb.Answer(proofs=pb.ProofAnswer()))
    with pytest.raises(FrameInvalid):
        await answered(found, found.session.request(HEADERS), wrong)


async def test_a_request_that_is_too_large_is_not_asked() -> None:
    found = await asker()
    request = pb.Request(proofs=pb.ProofRequest(keys=[bytes(MAX_BYTES)]))
    with pytest.raises(LimitExceeded):
        await found.session.request(request)


async def test_nobody_waits_for_ever() -> None:
    found = await asker()
    task = asyncio.ensure_future(found.session.request(HEADERS))
    await settle()
    assert found.fence is not None
    for _ in range(EXPIRES_AFTER // SECOND + 1):
        await found.registry.leases.renew(found.fence, LEASE, attached=True)
        await found.clock.advance(SECOND)
    with pytest.raises(AnswerOverdue):
        await task
    assert found.registry.state.forwarded == {}


async def test_a_hint_for_nobody_is_none() -> None:
    (await asker()).forwarder.told(17)


def _as_answer(message: Message) -> ForwardedAnswer:
    return ForwardedAnswer(message.SerializeToString())
