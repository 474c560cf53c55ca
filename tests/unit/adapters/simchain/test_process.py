from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import grpc
import msgspec
import pytest
from ydhub.simchain.v1 import simchain_service_pb2 as pb

from adapters.sdk.clock import SystemClock
from adapters.simchain.messages import Transaction
from adapters.simchain.process import SimchainProcess
from hub.core.errors import FieldInvalid, Reason, RecordCorrupt
from hub.light_clients.cometbft.codec import decode_signed_header
from hub.wire.status import from_rpc_error
from tests.harness.certificates import Certificates
from tests.harness.clock import FixedChance
from tests.harness.relayer import ScriptedRelayer
from tests.harness.simchain_process import (
    adapter_of_two,
    chain_of_two,
    config_of,
    running,
    spawn,
    user,
    write_config,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

EMPTY = Transaction(signer="relayer", nonce=0, messages=())
NOWHERE = "127.0.0.1:9"


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates.make(tmp_path / "certs")


@pytest.fixture
async def relayer(certificates: Certificates) -> AsyncIterator[ScriptedRelayer]:
    relayer = ScriptedRelayer()
    await relayer.start(certificates)
    yield relayer
    await relayer.stop()


async def test_the_process_attaches_as_its_peer_and_serves_its_users(
    tmp_path: Path, certificates: Certificates, relayer: ScriptedRelayer
) -> None:
    config = config_of(tmp_path, certificates, f"127.0.0.1:{relayer.port}")
    async with running(config, SystemClock()) as (process, port):
        session = await relayer.attached()
        hello = (await session.expect("hello")).hello
        assert (session.peer, hello.chain_id, hello.adapter) == (
            "hangzhou",
            "hangzhou-1",
            "simchain",
        )
        assert hello.order_enforceable
        session.welcome(client_height=0, anchor_height=1)
        assert (await session.expect("headers")).headers.headers
        async with user(certificates, port) as stub:
            anchor = (await stub.GetAnchor(pb.GetAnchorRequest())).anchor
        assert anchor.height.number <= process.node.chain.height


async def test_a_stopped_process_comes_back_as_it_was(
    tmp_path: Path, certificates: Certificates
) -> None:
    config = config_of(tmp_path, certificates, NOWHERE)
    async with running(config, SystemClock()) as (process, _):
        await process.node.above(3)
        height = process.node.chain.height
        block = process.node.chain.light_block(height)
    async with running(config, SystemClock()) as (process, _):
        assert process.node.chain.height >= height
        assert process.node.chain.light_block(height) == block


async def test_a_directory_has_one_process(tmp_path: Path, certificates: Certificates) -> None:
    config = config_of(tmp_path, certificates, NOWHERE)
    async with running(config, SystemClock()):
        with pytest.raises(FieldInvalid) as caught:
            SimchainProcess(config, SystemClock(), FixedChance())
        assert caught.value.field == "directory"


async def test_a_port_that_is_taken_is_told(
    tmp_path: Path, certificates: Certificates, relayer: ScriptedRelayer
) -> None:
    config = config_of(tmp_path, certificates, NOWHERE)
    taken = msgspec.structs.replace(config, listen=f"127.0.0.1:{relayer.port}")
    process = SimchainProcess(taken, SystemClock(), FixedChance())
    with pytest.raises(FieldInvalid) as caught:
        await process.start()
    assert caught.value.field == "listen"
    await process.stop()


async def test_a_damaged_block_log_is_told(tmp_path: Path, certificates: Certificates) -> None:
    config = config_of(tmp_path, certificates, NOWHERE)
    async with running(config, SystemClock()) as (process, _):
        await process.node.above(3)
    file = tmp_path / "hangzhou" / "blocks.log"
    content = bytearray(file.read_bytes())
    content[40] ^= 1
    file.write_bytes(content)
    with pytest.raises(RecordCorrupt):
        SimchainProcess(config, SystemClock(), FixedChance())


async def test_a_killed_process_comes_back_with_every_block_that_was_shown(
    tmp_path: Path, certificates: Certificates, relayer: ScriptedRelayer
) -> None:
    config = config_of(tmp_path, certificates, f"127.0.0.1:{relayer.port}")
    file = tmp_path / "hangzhou.toml"
    write_config(config, file)
    shown: dict[int, bytes] = {}
    for _ in range(3):
        process = await spawn(file)
        session = await relayer.attached()
        await session.expect("hello")
        session.welcome()
        for height, content in list(shown.items()):
            session.say(request={"request_id": height, "headers": {"heights": [height]}})
            frame = await session.next()
            while frame.WhichOneof("body") != "answer":
                frame = await session.next()
            assert [header.content for header in frame.answer.headers.headers] == [content]
        frame = await session.expect("headers")
        header = frame.headers.headers[0].content
        shown[_height(header)] = header
        process.kill()
        await process.wait()
        await session.gone()
    assert len(shown) == 3


async def test_sigterm_ends_the_process_in_peace(
    tmp_path: Path, certificates: Certificates, relayer: ScriptedRelayer
) -> None:
    file = tmp_path / "hangzhou.toml"
    write_config(config_of(tmp_path, certificates, f"127.0.0.1:{relayer.port}"), file)
    process = await spawn(file)
    session = await relayer.attached()
    await session.expect("hello")
    process.send_signal(signal.SIGTERM)
    _, errors = await process.communicate()
    assert process.returncode == 0, errors
    lines = errors.decode().splitlines()
    assert '"event": "simchain_stopped"' in lines[-1]
    assert all(line.startswith("{") for line in lines), "one JSON object a line"


async def test_a_process_that_cannot_start_says_why_in_one_line(
    tmp_path: Path,
) -> None:
    process = await spawn(tmp_path / "nothing.toml")
    _, errors = await process.communicate()
    assert process.returncode == 3
    assert errors.decode().startswith("ydhub-simchain: FIELD_INVALID: ")
    assert errors.count(b"\n") == 1


async def test_a_chain_that_fails_ends_the_process(
    tmp_path: Path, certificates: Certificates
) -> None:
    config = config_of(tmp_path, certificates, NOWHERE)
    async with running(config, SystemClock()) as (process, _):
        await process.node.above(0)

        def fail(_: object) -> None:
            raise RuntimeError("a bug")

        process.node.on_block = fail
        with pytest.raises(RuntimeError, match="a bug"):
            await process.failed()


class TestTwoProcesses:
    async def test_the_adapter_attaches_and_shows_what_the_chain_made(
        self, tmp_path: Path, certificates: Certificates, relayer: ScriptedRelayer
    ) -> None:
        config = config_of(tmp_path, certificates, f"127.0.0.1:{relayer.port}")
        async with (
            running(chain_of_two(config), SystemClock()) as (chain, port),
            running(adapter_of_two(config, port), SystemClock()) as (adapter, own_port),
        ):
            session = await relayer.attached()
            hello = (await session.expect("hello")).hello
            assert (session.peer, hello.chain_id) == ("hangzhou", "hangzhou-1")
            session.welcome(client_height=0, anchor_height=1)
            shown = (await session.expect("headers")).headers.headers[0]
            genuine = chain.node.chain.light_block(_height(shown.content))
            assert shown.content == genuine.header.content
            ledgers = []
            for one in (port, own_port):
                async with user(certificates, one) as stub:
                    ledgers.append(await stub.GetLedger(pb.GetLedgerRequest()))
            assert [ledger.has_adapter for ledger in ledgers] == [False, True]
            assert ledgers[0].supplies == ledgers[1].supplies
            result = await adapter.node.result(EMPTY)
            assert chain.node.chain.result(result.tx_hash) is not None

    async def test_either_may_be_killed_and_the_other_goes_on(
        self, tmp_path: Path, certificates: Certificates
    ) -> None:
        config = config_of(tmp_path, certificates, NOWHERE)
        async with running(chain_of_two(config), SystemClock()) as (chain, port):
            async with running(adapter_of_two(config, port), SystemClock()) as (adapter, _):
                await adapter.node.above(3)
            await chain.node.above(chain.node.chain.height + 3)
            async with running(adapter_of_two(config, port), SystemClock()) as (adapter, _):
                assert adapter.node.chain.height >= 3
                await adapter.node.above(chain.node.chain.height)

    async def test_a_chain_that_is_not_the_adapters_ends_the_adapter(
        self, tmp_path: Path, certificates: Certificates
    ) -> None:
        config = config_of(tmp_path, certificates, NOWHERE)
        other = msgspec.structs.replace(config, seed="another")
        async with (
            running(chain_of_two(config), SystemClock()) as (_, port),
            running(adapter_of_two(other, port), SystemClock()) as (adapter, _),
        ):
            with pytest.raises(RecordCorrupt):
                await adapter.failed()
            assert adapter.node.chain.height == 0

    @pytest.mark.parametrize(
        ("of_chain", "of_adapter", "kind"),
        [
            (True, False, "STALL"),
            (True, True, "REORDER"),
            (False, True, "WITHHOLD"),
            (False, True, "REFUSE"),
        ],
    )
    async def test_each_has_the_switches_that_are_its_own(
        self,
        tmp_path: Path,
        certificates: Certificates,
        *,
        of_chain: bool,
        of_adapter: bool,
        kind: str,
    ) -> None:
        config = config_of(tmp_path, certificates, NOWHERE)
        number = pb.MisbehaveRequest.Kind.Value(f"KIND_{kind}")
        request = pb.MisbehaveRequest(kind=number, duration_ms=1)
        async with (
            running(chain_of_two(config), SystemClock()) as (_, port),
            running(adapter_of_two(config, port), SystemClock()) as (_, own_port),
        ):
            for one, takes in ((port, of_chain), (own_port, of_adapter)):
                async with user(certificates, one) as stub:
                    if takes:
                        assert (await stub.Misbehave(request)).detail == "for 1ms"
                        continue
                    with pytest.raises(grpc.aio.AioRpcError) as caught:
                        await stub.Misbehave(request)
                    assert from_rpc_error(caught.value).reason == Reason.FIELD_INVALID


def _height(content: bytes) -> int:
    return decode_signed_header(content).header.height
