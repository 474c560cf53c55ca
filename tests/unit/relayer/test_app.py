from __future__ import annotations

import asyncio
import os
import signal
import socket
import urllib.request
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from hub.core.errors import FieldInvalid, Reason, RegistryUnreachable
from hub.core.time import MILLISECOND, SECOND, Duration
from hub.ports.registry import Change, Topic
from hub.registry.memory import MemoryRegistry
from relayer.app import RelayerApp, SystemClock, SystemRandomness, run
from relayer.config import RelayerConfig, Tls
from relayer.openings import Openings
from tests.harness.certificates import TRUST_DOMAIN, Certificates
from tests.harness.clock import FixedChance, settle, until
from tests.harness.exchange import ADMIN, HANGZHOU, SUZHOU
from tests.harness.relayed import relayed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from hub.core.ids import PeerId
    from hub.ports.lanes import Opening
    from tests.harness.station import Station


def config_of(directory: Path, **changes: Any) -> RelayerConfig:
    files = Certificates.make(directory / "certs").files("/relayers/east-1", serves=True)
    cert_file, key_file, ca_file = map(str, files)
    values: dict[str, Any] = {
        "name": "east-1",
        "listen": "127.0.0.1:0",
        "database_url": "",
        "trust_domain": TRUST_DOMAIN,
        "tls": Tls(cert_file=cert_file, key_file=key_file, ca_file=ca_file),
    }
    return RelayerConfig(**{**values, **changes})


@pytest.fixture
async def hinted(owned: Station, tmp_path: Path) -> AsyncIterator[RelayerApp]:
    """A process that hears hints for the owners of a station; it serves nobody."""
    app = RelayerApp(config_of(tmp_path), owned.registry, owned.clock, FixedChance())
    app.board, app.gateway.owners = owned.board, owned.owners
    following = asyncio.ensure_future(app._follow_changes())
    await settle()
    yield app
    following.cancel()


class TestHints:
    async def test_packets_that_another_process_accepted_are_delivered_at_once(
        self, hinted: RelayerApp, owned: Station
    ) -> None:
        del owned.board.sessions[HANGZHOU]
        packets = owned.exchange.send(2)
        await owned.exchange.accept(packets)
        await until(lambda: owned.right.executions)

    async def test_outcomes_that_another_process_recorded_go_back_at_once(
        self, hinted: RelayerApp, owned: Station
    ) -> None:
        packets = owned.exchange.send(2)
        await owned.exchange.accept(packets)
        await owned.exchange.deliver(packets)
        del owned.board.sessions[SUZHOU]
        await owned.exchange.acknowledge(packets)
        await until(lambda: owned.left.executions)

    async def test_what_this_process_wrote_itself_is_not_read_again(
        self, hinted: RelayerApp, owned: Station, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        synced: list[str] = []

        async def sync(*_: Any) -> None:
            synced.append("again")

        for owner in owned.owners.values():
            monkeypatch.setattr(owner, "sync", sync)
        await owned.exchange.accept(owned.exchange.send(2))
        await owned.rests()
        assert synced == []

    async def test_a_pause_a_freeze_and_a_route_count_at_once(
        self, hinted: RelayerApp, owned: Station
    ) -> None:
        desk = await owned.desk()
        await owned.registry.lanes.pause(owned.exchange.key, "inspection", ADMIN)
        await until(lambda: desk.delivery and desk.delivery.flow.is_stopped)
        await owned.registry.lanes.resume(owned.exchange.key, ADMIN)
        await until(lambda: desk.delivery and not desk.delivery.flow.is_stopped)
        await owned.exchange.allow("notary", "archive")
        await until(lambda: ("notary", "archive") in desk.routes)
        keeper = await owned.keeper(HANGZHOU)
        await owned.registry.clients.freeze(HANGZHOU, "inspection", None, ADMIN)
        await until(lambda: keeper.hub_client.is_frozen)
        await until(lambda: desk.delivery and desk.delivery.flow.is_stopped)

    async def test_headers_of_a_peer_that_is_attached_elsewhere_count_at_once(
        self, hinted: RelayerApp, owned: Station
    ) -> None:
        keeper = await owned.keeper(HANGZHOU)
        latest = keeper.latest_verified()
        del owned.board.sessions[HANGZHOU]
        owned.exchange.send(1)
        await owned.exchange.show_all()
        await until(lambda: keeper.latest_verified().height > latest.height)

    async def test_headers_make_nobody_read_who_is_attached_here_or_who_never_asked(
        self, hinted: RelayerApp, owned: Station, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read: list[PeerId] = []

        async def hub_client(peer: PeerId) -> None:
            read.append(peer)

        owned.exchange.send(1)
        await owned.exchange.show_all()
        await settle()
        monkeypatch.setattr(owned.registry.clients, "hub_client", hub_client)
        monkeypatch.setattr(owned.registry.peers, "get", hub_client)
        for peer in (HANGZHOU, SUZHOU, "wuxi"):
            owned.registry.changes.announce(Change(Topic.HEADERS, peer))
        await settle()
        assert read == []

    async def test_a_promoted_database_ends_every_session_and_all_is_read_anew(
        self, hinted: RelayerApp, owned: Station, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ended: list[Reason] = []
        monkeypatch.setattr(hinted.gateway, "end_sessions", lambda e: ended.append(e.reason))
        await owned.desk()
        owned.registry.changes.announce(Change(Topic.PROMOTED, ""))
        await until(lambda: ended)
        assert ended == [Reason.REGISTRY_UNREACHABLE]
        assert hinted.board.desks == {}

    async def test_a_hint_that_fails_or_is_none_costs_nothing_but_itself(
        self, hinted: RelayerApp, owned: Station, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def away(*_: Any) -> None:
            raise RegistryUnreachable(problem="away")

        with monkeypatch.context() as patch:
            patch.setattr(owned.registry.lanes, "view", away)
            for change in (
                Change(Topic.LANES, "1"),
                Change(Topic.LANES, "no number"),
                Change(Topic.PEERS, "No Peer"),
                Change(Topic.PEERS, "wuxi"),
                Change(Topic.ACCEPTED, "99"),
            ):
                owned.registry.changes.announce(change)
            await settle()
        await owned.exchange.allow("notary", "archive")
        desk = await owned.desk()
        await until(lambda: ("notary", "archive") in desk.routes)


class TestProcess:
    async def test_it_serves_until_it_is_stopped_and_gives_its_leases_back(
        self, tmp_path: Path
    ) -> None:
        async with relayed(tmp_path) as world:
            await world.open()
            assert len(await world.registry.leases.all()) == 2
            await world.app.stop()
            assert await world.registry.leases.all() == []
            assert world.app.gateway.owners == {}
            names = {task.get_coro().__qualname__ for task in asyncio.all_tasks()}  # type: ignore[union-attr]
            assert not [name for name in names if name.startswith(("RelayerApp", "PeerOwner"))]

    async def test_a_bug_in_one_round_of_openings_does_not_end_them(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with relayed(tmp_path) as world:

            async def broken(*_: Any) -> None:
                raise KeyError("a bug")

            with monkeypatch.context() as patch:
                patch.setattr(world.registry.lanes, "running_openings", broken)
                await world.seconds(2)
            await world.open()

    async def test_an_opening_that_takes_long_holds_up_none_that_comes_later_and_ends_with_it_all(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with relayed(tmp_path) as world:
            open_one, begun = Openings._open, list[int]()

            async def slow(openings: Openings, opening: Opening) -> None:
                begun.append(opening.number)
                if opening.number == begun[0]:
                    await asyncio.Event().wait()
                await open_one(openings, opening)

            monkeypatch.setattr(Openings, "_open", slow)
            first = asyncio.ensure_future(world.open())
            await world.until(lambda: begun)
            first.cancel()
            await world.open(source=SUZHOU, destination=HANGZHOU)
            assert begun.count(begun[0]) == 1
            await world.app.stop()
            names = {task.get_coro().__qualname__ for task in asyncio.all_tasks()}  # type: ignore[union-attr]
            assert not [name for name in names if name.startswith("Openings")]

    async def test_an_address_that_is_taken_is_told_with_its_key(self, tmp_path: Path) -> None:
        first = RelayerApp(config_of(tmp_path), MemoryRegistry())
        port = await first.start()
        second = RelayerApp(
            config_of(tmp_path / "second", listen=f"127.0.0.1:{port}"), MemoryRegistry()
        )
        with pytest.raises(FieldInvalid) as caught:
            await second.start()
        assert caught.value.field == "listen"
        await first.stop()

    async def test_metrics_are_served_on_loopback_until_the_end(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        app = RelayerApp(config_of(tmp_path, metrics_port=port), MemoryRegistry())
        await app.start()
        url = f"http://127.0.0.1:{port}/metrics"
        text = await asyncio.to_thread(lambda: urllib.request.urlopen(url).read().decode())
        assert "ydhub_sessions 0.0" in text
        other = RelayerApp(config_of(tmp_path / "second", metrics_port=port), MemoryRegistry())
        with pytest.raises(FieldInvalid) as caught:
            await other.start()
        assert caught.value.field == "metrics_port"
        await other._server.stop(None)
        await app.stop()
        with pytest.raises(OSError, match="refused"):
            await asyncio.to_thread(urllib.request.urlopen, url)


class TestRun:
    async def test_without_a_database_it_does_not_start(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("YDHUB_DATABASE_URL", raising=False)
        with pytest.raises(FieldInvalid) as caught:
            await run(config_of(tmp_path))
        assert (caught.value.field, caught.value.reason) == ("database_url", Reason.FIELD_INVALID)

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    async def test_a_signal_ends_it_in_order(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
    ) -> None:
        events: list[str] = []

        class Registry(MemoryRegistry):
            database = SimpleNamespace(connections_used=1, connection_limit=10)

            async def close(self) -> None:
                events.append("closed")

        async def awaited(url: str, *, name: str, demands_standby: bool) -> Registry:
            assert not demands_standby
            events.append(f"{url} for {name}")
            return Registry()

        class Watched(RelayerApp):
            async def start(self) -> int:
                port = await super().start()
                events.append("started")
                return port

            async def stop(self) -> None:
                await super().stop()
                events.append("stopped")

        monkeypatch.setattr("relayer.app.awaited", awaited)
        monkeypatch.setattr("relayer.app.RelayerApp", Watched)
        running = asyncio.ensure_future(run(config_of(tmp_path, database_url="postgresql://x")))
        await until(lambda: "started" in events)
        os.kill(os.getpid(), number)
        await running
        assert events == ["postgresql://x for relayer east-1", "started", "stopped", "closed"]


async def test_the_machines_clock_moves_and_its_chance_is_in_bounds() -> None:
    clock, chance = SystemClock(), SystemRandomness()
    before = clock.monotonic()
    await clock.sleep(Duration(MILLISECOND))
    assert clock.monotonic() >= before + MILLISECOND
    assert clock.now() > 1_700_000_000 * SECOND
    assert {chance.below(2) for _ in range(200)} == {0, 1}
