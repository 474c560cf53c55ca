"""Embedded chains as processes, in a directory of certificates and anchors."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import grpc
import msgspec
from ydhub.simchain.v1 import simchain_service_pb2_grpc as service

from adapters.sdk.config import Tls
from adapters.simchain.config import GenesisBalance, Role, SimchainConfig
from adapters.simchain.process import SimchainProcess
from hub.cli.dev.configs import render
from tests.harness.certificates import TRUST_DOMAIN, Certificates
from tests.harness.clock import FixedChance

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from adapters.sdk.clock import Clock

OPTIONS = (("grpc.max_receive_message_length", -1),)


def config_of(
    directory: Path, certificates: Certificates, relayer: str, peer: str = "hangzhou"
) -> SimchainConfig:
    """A chain's configuration; its files lie in *directory*."""
    cert_file, key_file, ca_file = map(str, certificates.files(f"/peers/{peer}", serves=True))
    return SimchainConfig(
        peer=peer,
        chain_id=f"{peer}-1",
        seed=peer,
        directory=str(directory / peer),
        listen="127.0.0.1:0",
        relayers=[relayer],
        trust_domain=TRUST_DOMAIN,
        tls=Tls(cert_file=cert_file, key_file=key_file, ca_file=ca_file),
        balances=[
            GenesisBalance(account="alice", denomination="hzcoin", amount=1_000_000),
        ],
        block_interval_ms=10,
        ports=["transfer", "private"],
    )


def chain_of_two(config: SimchainConfig) -> SimchainConfig:
    """*config* of the chain alone, whose adapter is another process."""
    return msgspec.structs.replace(config, role=Role.CHAIN, relayers=[], counterparties={})


def adapter_of_two(config: SimchainConfig, port: int) -> SimchainConfig:
    """*config* of the adapter alone, whose chain listens at *port*."""
    return msgspec.structs.replace(
        config,
        role=Role.ADAPTER,
        directory=f"{config.directory}-adapter",
        chain_address=f"127.0.0.1:{port}",
        block_interval_ms=1000,
    )


@asynccontextmanager
async def running(
    config: SimchainConfig, clock: Clock
) -> AsyncIterator[tuple[SimchainProcess, int]]:
    """The process of *config* on this loop, and the port of its service."""
    process = SimchainProcess(config, clock, FixedChance())
    port = await process.start()
    try:
        yield process, port
    finally:
        await process.stop()


@asynccontextmanager
async def user(
    certificates: Certificates, port: int, identity: str = "/admins/ada"
) -> AsyncIterator[service.SimchainServiceAsyncStub]:
    """The chain's service, as the holder of *identity* sees it."""
    credentials = certificates.channel(identity)
    channel = grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options=OPTIONS)
    async with channel:
        yield service.SimchainServiceStub(channel)


def write_config(config: SimchainConfig, file: Path) -> None:
    """*config* as its TOML file."""
    file.write_text(render(msgspec.to_builtins(config)), encoding="utf-8")


async def spawn(file: Path, *, failpoint: str = "") -> asyncio.subprocess.Process:
    """``ydhub-simchain --config`` *file*, as a process of its own."""
    environment = {"PYTHONPATH": ":".join(sys.path), "YDHUB_FAILPOINT": failpoint}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "adapters.simchain",
        "--config",
        str(file),
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
