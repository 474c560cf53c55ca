from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import LeaseLost, Reason, RegistryUnreachable
from hub.core.peer import PeerState
from hub.core.time import SECOND, Duration
from relayer.gateway import (
    HELLO_WITHIN,
    LAST_WRITE_WITHIN,
    LEASE_RETRY,
    LEASE_WITHIN,
    LEAVES_WITHIN,
    MAX_NAME,
    _to_its_end,
)
from relayer.session import ITEM_CREDITS, WRITE_WITHIN
from tests.harness.clock import settle, until
from tests.harness.dialler import Dialled, dialled
from tests.harness.exchange import HANGZHOU, LEASE
from tests.harness.source_tree import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from hub.ports.leases import Fence
    from relayer.session import Session
    from tests.harness.station import Station


@pytest.fixture
async def gate(board: Station, tmp_path: Path) -> AsyncIterator[Dialled]:
    """A gateway that adapters can dial; nobody holds Hangzhou's lease."""
    await board.registry.leases.release(board.exchange.fences[HANGZHOU])
    async with dialled(board, tmp_path / "certs") as found:
        yield found


async def lease_of_another(gate: Dialled) -> Fence:
    fence = await gate.station.registry.leases.acquire(HANGZHOU, "west-1", LEASE)
    assert fence is not None
    return fence


def is_heard(session: Session, heard_at: int) -> bool:
    return session._heard_at > heard_at or session.ended.is_set()


def is_another(gate: Dialled, known: list[Session]) -> bool:
    return list(gate.gateway._newest.values()) != known


def relayers_tasks() -> list[str]:
    """What runs of the relayer's own code."""
    coroutines: list[Any] = [task.get_coro() for task in asyncio.all_tasks()]
    codes = [getattr(one, "cr_code", None) for one in coroutines]
    ours = str(ROOT / "relayer")
    return [code.co_qualname for code in codes if code and code.co_filename.startswith(ours)]


class TestHello:
    async def test_who_says_hello_is_welcomed_and_owned(self, gate: Dialled) -> None:
        dialler = gate.dial()
        await dialler.hello()
        welcome = (await dialler.next()).welcome
        assert (welcome.relayer, len(welcome.cursors)) == ("east-1", 2)
        assert list(gate.gateway.owners) == [HANGZHOU]
        sample = gate.station.telemetry.collection.get_sample_value
        assert sample("ydhub_sessions") == 1

    @pytest.mark.parametrize(
        "body", [{"heartbeat": pb.Heartbeat()}, {"packets": pb.PacketBatch()}, {}]
    )
    async def test_anything_else_first_is_refused(
        self, gate: Dialled, body: dict[str, Any]
    ) -> None:
        dialler = gate.dial()
        await dialler.say(**body)
        assert (await dialler.end()).reason is Reason.FRAME_INVALID

    async def test_a_stream_that_ends_without_one_is_refused(self, gate: Dialled) -> None:
        dialler = gate.dial()
        await dialler.call.done_writing()
        assert (await dialler.end()).reason is Reason.FRAME_INVALID

    async def test_one_that_comes_too_late_is_refused(self, gate: Dialled) -> None:
        dialler = gate.dial()
        await until(lambda: gate.station.clock.is_awaited)
        await gate.station.clock.advance(HELLO_WITHIN)
        assert (await dialler.end()).reason is Reason.FRAME_INVALID

    async def test_bytes_that_are_no_frame_are_none(self, gate: Dialled) -> None:
        dialler = gate.dial(raw=True)
        await dialler.call.write(b"\xff\xff\xff")
        assert (await dialler.end()).reason is Reason.FRAME_INVALID

    @pytest.mark.parametrize(
        ("hello", "reason"),
        [
            ({"protocol_versions": [2, 3]}, Reason.PROTOCOL_UNSUPPORTED),
            ({"protocol_versions": []}, Reason.PROTOCOL_UNSUPPORTED),
            ({"chain_id": "suzhou-1"}, Reason.CHAIN_ID_MISMATCH),
            ({"chain_id": ""}, Reason.CHAIN_ID_MISMATCH),
            ({"chain_id": "x" * 100_000}, Reason.CHAIN_ID_MISMATCH),
        ],
    )
    async def test_an_adapter_of_another_version_or_chain_is_refused(
        self, gate: Dialled, hello: dict[str, Any], reason: Reason
    ) -> None:
        dialler = gate.dial()
        await dialler.hello(**hello)
        assert (await dialler.end()).reason is reason
        assert gate.gateway.owners == {}

    async def test_what_an_adapter_calls_itself_is_cut(self, gate: Dialled) -> None:
        dialler = gate.dial()
        with capture_logs() as logs:
            await dialler.hello(adapter="x" * 100_000)
            await dialler.next("welcome")
        [begins] = [one for one in logs if one["event"] == "session_begins"]
        assert begins["adapter"] == "x" * MAX_NAME


class TestIdentity:
    @pytest.mark.parametrize("path", ["/admins/li", "/relayers/east-1", "/hub"])
    async def test_only_a_peers_adapter_attaches(self, gate: Dialled, path: str) -> None:
        dialler = gate.dial(path)
        assert (await dialler.end()).reason is Reason.IDENTITY_NOT_ALLOWED

    async def test_the_certificate_names_the_peer_whatever_the_hello_says(
        self, gate: Dialled
    ) -> None:
        dialler = gate.dial("/peers/suzhou")
        await dialler.hello(chain_id="hangzhou-1")
        assert (await dialler.end()).reason is Reason.CHAIN_ID_MISMATCH

    async def test_an_identity_of_another_trust_domain_is_none(self, gate: Dialled) -> None:
        dialler = gate.dial(trust_domain="elsewhere.example")
        assert (await dialler.end()).reason is Reason.CREDENTIALS_MISSING

    async def test_a_peer_that_is_not_registered_or_suspended_is_told_so(
        self, gate: Dialled
    ) -> None:
        dialler = gate.dial("/peers/wuxi")
        await dialler.hello()
        assert (await dialler.end()).reason is Reason.PEER_NOT_FOUND
        peers = gate.station.registry.state.peers
        peers[HANGZHOU] = replace(peers[HANGZHOU], state=PeerState.SUSPENDED)
        dialler = gate.dial()
        await dialler.hello()
        assert (await dialler.end()).reason is Reason.PEER_SUSPENDED


class TestSessions:
    async def test_frames_are_answered(self, gate: Dialled) -> None:
        dialler = await gate.attached()
        await dialler.say(headers=pb.HeaderBatch())
        verdict = (await dialler.next("verdict")).verdict
        assert verdict.frame_id == 2
        assert [entry.reason for entry in verdict.refused] == ["FRAME_INVALID"]

    @pytest.mark.parametrize("frame_id", [0, 1])
    async def test_a_frame_id_that_does_not_rise_ends_it(
        self, gate: Dialled, frame_id: int
    ) -> None:
        dialler = await gate.attached()
        await dialler.call.write(pb.AdapterFrame(frame_id=frame_id, heartbeat=pb.Heartbeat()))
        assert (await dialler.end()).reason is Reason.FRAME_INVALID

    async def test_bytes_that_are_no_frame_end_it(self, gate: Dialled) -> None:
        dialler = gate.dial(raw=True)
        hello = pb.Hello(protocol_versions=[1], chain_id="hangzhou-1")
        await dialler.call.write(pb.AdapterFrame(frame_id=1, hello=hello).SerializeToString())
        assert pb.RelayerFrame.FromString(await dialler.call.read()).HasField("welcome")
        await dialler.call.write(b"\xff\xff\xff")
        assert (await dialler.end()).reason is Reason.FRAME_INVALID

    async def test_more_items_than_credits_end_it(self, gate: Dialled) -> None:
        dialler = await gate.attached()
        batch = pb.PacketBatch(packets=[b"x"] * (ITEM_CREDITS + 1))
        await dialler.say(packets=batch)
        assert (await dialler.end()).reason is Reason.CREDITS_SPENT

    async def test_silence_ends_it(self, gate: Dialled) -> None:
        dialler = await gate.attached()
        session = gate.gateway.owners[HANGZHOU].session
        for _ in range(4):
            assert not session.ended.is_set()
            await gate.station.clock.advance(SECOND)
        assert (await dialler.end()).reason is Reason.ANSWER_OVERDUE
        await until(lambda: not gate.gateway.owners)

    async def test_an_adapter_that_goes_is_owned_no_more_and_its_lease_is_given_back(
        self, gate: Dialled
    ) -> None:
        dialler = await gate.attached()
        assert relayers_tasks()
        dialler.call.cancel()
        await until(lambda: not gate.gateway._newest)
        assert gate.gateway.owners == {}
        assert gate.station.board.sessions == {}
        leases = await gate.station.registry.leases.all()
        assert HANGZHOU not in [lease.peer for lease in leases]
        await settle()
        assert relayers_tasks() == []

    async def test_all_end_at_once_for_a_cause_and_may_come_again(self, gate: Dialled) -> None:
        dialler = await gate.attached()
        gate.gateway.end_sessions(RegistryUnreachable(problem="another server was promoted"))
        assert (await dialler.end()).reason is Reason.REGISTRY_UNREACHABLE
        await until(lambda: not gate.gateway.owners)
        await gate.attached()

    async def test_an_adapter_that_reads_nothing_is_gone_after_a_while(self, gate: Dialled) -> None:
        """No queue grows for it: what it does not take in time ends its session."""
        dialler = await gate.attached()
        session = gate.gateway.owners[HANGZHOU].session
        big = pb.RelayerFrame(execution=pb.Execution(lane="x" * 1024 * 1024))
        for _ in range(64):
            session.send(big)
        for _ in range(3 * WRITE_WITHIN // SECOND):
            await gate.station.clock.advance(SECOND)
            heard = session._heard_at
            await dialler.say(heartbeat=pb.Heartbeat())
            await until(partial(is_heard, session, heard))
            if session.ended.is_set():
                break
        assert session.end_cause.reason is Reason.ANSWER_OVERDUE
        await gate.station.clock.advance(LAST_WRITE_WITHIN)
        await until(lambda: not gate.gateway._newest)
        # Nothing gets past what it does not read: the stream counts until it goes.
        assert gate.gateway._streams == {HANGZHOU: 1}
        dialler.call.cancel()
        await until(lambda: not gate.gateway._streams)

    async def test_one_that_reads_nothing_holds_up_neither_the_next_session_nor_the_end(
        self, gate: Dialled
    ) -> None:
        await gate.attached()
        session = gate.gateway.owners[HANGZHOU].session
        big = pb.RelayerFrame(execution=pb.Execution(lane="x" * 1024 * 1024))
        for _ in range(64):
            session.send(big)
        second = asyncio.ensure_future(gate.attached())
        await until(session.ended.is_set)
        await gate.station.clock.advance(LAST_WRITE_WITHIN)
        await second
        await gate.gateway.stop()
        assert gate.gateway.owners == {}

    async def test_an_end_that_comes_while_the_welcome_is_written_is_told_all_the_same(
        self, gate: Dialled
    ) -> None:
        """A write that is cut off would leave the stream in no state to tell anything."""
        dialler = gate.dial()
        await dialler.hello()
        await until(lambda: gate.gateway._newest)
        for _ in range(40):
            newest = gate.gateway._newest.get(HANGZHOU)
            if newest is not None:
                newest.end(LeaseLost(peer=HANGZHOU, epoch=1))
            await asyncio.sleep(0)
        assert (await dialler.end()).reason is Reason.LEASE_LOST

    async def test_streams_whose_end_a_peer_does_not_read_are_bounded_and_only_its_own(
        self, gate: Dialled, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Else one city could take all streams that the process serves."""
        monkeypatch.setattr("relayer.gateway.MAX_STREAMS", 2)
        gate.gateway._streams[HANGZHOU] = 2
        dialler = gate.dial()
        assert (await dialler.end()).reason is Reason.RATE_LIMITED
        other = gate.dial("/peers/suzhou")
        await other.hello(chain_id="suzhou-1")
        await other.next("welcome")
        gate.gateway._streams[HANGZHOU] -= 1
        await gate.attached()

    async def test_a_bug_is_told_as_one_and_nothing_else_of_it(
        self, gate: Dialled, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def broken(*_: Any) -> None:
            raise KeyError("secret")

        monkeypatch.setattr(gate.station.registry.peers, "get", broken)
        dialler = gate.dial()
        await dialler.hello()
        error = await dialler.end()
        assert (error.code, error.reason) == ("INTERNAL", Reason.INTERNAL)
        assert "secret" not in error.message
        monkeypatch.undo()
        await gate.attached()


class TestSecondSession:
    async def test_it_ends_the_first(self, gate: Dialled) -> None:
        first = await gate.attached()
        epoch = gate.gateway.owners[HANGZHOU].fence.epoch
        second = await gate.attached()
        assert (await first.end()).reason is Reason.ADAPTER_OFFLINE
        assert gate.gateway.owners[HANGZHOU].fence.epoch > epoch
        await second.say(headers=pb.HeaderBatch())
        await second.next("verdict")

    async def test_of_several_that_wait_the_newest_is_welcomed(self, gate: Dialled) -> None:
        other = await lease_of_another(gate)
        diallers = [gate.dial() for _ in range(3)]
        for dialler in diallers:
            known = list(gate.gateway._newest.values())
            await dialler.hello()
            await until(partial(is_another, gate, known))
        await gate.station.registry.leases.release(other)
        await gate.station.clock.advance(LEASE_RETRY)
        await diallers[2].next("welcome")
        for dialler in diallers[:2]:
            assert (await dialler.end()).reason is Reason.ADAPTER_OFFLINE

    async def test_sessions_of_two_peers_stand_beside_each_other(self, gate: Dialled) -> None:
        await gate.attached()
        other = gate.dial("/peers/suzhou")
        await other.hello(chain_id="suzhou-1")
        await other.next("welcome")
        assert len(gate.gateway.owners) == 2


class TestLease:
    async def test_a_session_waits_for_the_lease_of_another_process(self, gate: Dialled) -> None:
        other = await lease_of_another(gate)
        dialler = gate.dial()
        await dialler.hello()
        await until(lambda: gate.gateway._newest)
        await gate.station.clock.advance(LEASE_RETRY)
        assert gate.gateway.owners == {}
        await gate.station.registry.leases.release(other)
        await gate.station.clock.advance(LEASE_RETRY)
        await dialler.next("welcome")

    async def test_but_not_for_ever(self, gate: Dialled) -> None:
        await lease_of_another(gate)
        dialler = gate.dial()
        await dialler.hello()
        await until(lambda: gate.gateway._newest)
        await gate.station.clock.advance(LEASE_WITHIN)
        assert (await dialler.end()).reason is Reason.LEASE_LOST
        assert gate.gateway._newest == {}

    async def test_a_session_whose_lease_is_lost_ends(self, gate: Dialled) -> None:
        dialler = await gate.attached()
        state = gate.station.registry.state
        state.leases[HANGZHOU].expires_at = gate.station.clock.now()
        await lease_of_another(gate)
        await gate.station.clock.advance(SECOND)
        assert (await dialler.end()).reason is Reason.LEASE_LOST


class TestDrain:
    async def test_adapters_are_told_and_waited_for(self, gate: Dialled) -> None:
        dialler = await gate.attached()
        draining = asyncio.ensure_future(gate.gateway.drain(Duration(5 * SECOND)))
        await dialler.next("drain")
        assert not draining.done()
        await dialler.call.done_writing()
        await draining
        assert gate.gateway.owners == {}

    async def test_one_is_handed_over_to_whom_it_shall_dial(self, gate: Dialled) -> None:
        dialler = await gate.attached()
        gate.gateway.hand_over(HANGZHOU, "west:9700")
        gate.gateway.hand_over(HANGZHOU, "south:9700")
        assert (await dialler.next("drain")).drain.prefer == "west:9700"
        await dialler.call.done_writing()
        await until(lambda: not gate.gateway.owners)
        leases = await gate.station.registry.leases.all()
        assert HANGZHOU not in [lease.peer for lease in leases]
        await gate.attached()

    async def test_one_that_is_handed_over_and_stays_is_sent_away(self, gate: Dialled) -> None:
        dialler = await gate.attached()
        gate.gateway.hand_over(HANGZHOU, "west:9700")
        session = gate.gateway._newest[HANGZHOU]
        for _ in range(LEAVES_WITHIN // SECOND):
            await dialler.say(heartbeat=pb.Heartbeat())
            await until(lambda: session._last_frame_id == dialler.last_id)
            await gate.station.clock.advance(SECOND)
        assert (await dialler.end()).reason is Reason.SHUTTING_DOWN

    async def test_who_is_not_attached_is_handed_over_to_nobody(self, gate: Dialled) -> None:
        gate.gateway.hand_over(HANGZHOU, "west:9700")
        assert gate.gateway._leaving == {}

    async def test_sessions_are_taken_again_when_it_drains_no_more(self, gate: Dialled) -> None:
        gate.gateway.take_sessions(False, [])
        assert (await gate.dial().end()).reason is Reason.SHUTTING_DOWN
        gate.gateway.take_sessions(True, [])
        await gate.attached()

    async def test_one_that_stays_is_ended_and_the_lease_given_back(self, gate: Dialled) -> None:
        dialler = await gate.attached()
        draining = asyncio.ensure_future(gate.gateway.drain(Duration(2 * SECOND)))
        await dialler.next("drain")
        await gate.station.clock.advance(Duration(2 * SECOND))
        await draining
        await gate.gateway.stop()
        assert (await dialler.end()).reason is Reason.SHUTTING_DOWN
        leases = await gate.station.registry.leases.all()
        assert HANGZHOU not in [lease.peer for lease in leases]

    async def test_nobody_is_taken_any_more(self, gate: Dialled) -> None:
        await gate.gateway.drain(Duration(SECOND))
        dialler = gate.dial()
        assert (await dialler.end()).reason is Reason.SHUTTING_DOWN

    async def test_whoever_waits_for_a_lease_meanwhile_is_not_welcomed_after_all(
        self, gate: Dialled
    ) -> None:
        other = await lease_of_another(gate)
        dialler = gate.dial()
        await dialler.hello()
        await until(lambda: gate.gateway._newest)
        stopping = asyncio.ensure_future(gate.gateway.stop())
        await settle()
        await gate.station.registry.leases.release(other)
        await gate.station.clock.advance(LEASE_RETRY)
        await stopping
        assert (await dialler.end()).reason is Reason.SHUTTING_DOWN
        assert gate.gateway.owners == {}


async def test_closing_goes_on_to_its_end_however_often_it_is_cancelled() -> None:
    steps: list[int] = []
    goes_on = asyncio.Event()

    async def closing() -> None:
        steps.append(1)
        await goes_on.wait()
        steps.append(2)

    task = asyncio.ensure_future(_to_its_end(closing()))
    for _ in range(3):
        await settle()
        task.cancel()
    await settle()
    assert (steps, task.done()) == ([1], False)
    goes_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert steps == [1, 2]
