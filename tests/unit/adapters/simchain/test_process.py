from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import msgspec
import pytest
from ydhub.simchain.v1 import simchain_service_pb2 as pb

from adapters.sdk.clock import SystemClock
from adapters.simchain.process import SimchainProcess
from hub.core.errors import FieldInvalid, RecordCorrupt
from hub.light_clients.cometbft.codec import decode_signed_header
from tests.harness.certificates import Certificates
from tests.harness.clock import FixedChance
from tests.harness.relayer import ScriptedRelayer
from tests.harness.simchain_process import config_of, running, spawn, user, write_config

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

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


def _height(content: bytes) -> int:
    return decode_signed_header(content).header.height
