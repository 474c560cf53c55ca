from __future__ import annotations

import asyncio
import socket
from contextlib import aclosing, asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

import grpc
import msgspec
import pytest
from ydhub.simchain.v1 import simchain_service_pb2 as pb
from ydhub.simchain.v1 import simchain_service_pb2_grpc as service

from adapters.sdk.clock import SystemClock
from adapters.sdk.config import Tls
from adapters.simchain import remote_chain as module
from adapters.simchain.codec import encode_transaction, transaction_hash
from adapters.simchain.messages import Transaction
from adapters.simchain.remote_chain import MAX_TRANSACTION, SILENCE, Followed, RemoteChain
from hub.core.errors import FieldInvalid, LimitExceeded, Reason, RecordCorrupt
from hub.light_clients.cometbft.codec import encode_signed_header
from hub.wire.status import RemoteError
from tests.harness.certificates import Certificates
from tests.harness.clock import ManualClock, until
from tests.harness.simchain_process import chain_of_two, config_of, running

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from pathlib import Path

    from adapters.simchain.process import SimchainProcess

NOWHERE = "127.0.0.1:9"
EMPTY = encode_transaction(Transaction(signer="relayer", nonce=0, messages=()))


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates.make(tmp_path / "certs")


def tls(certificates: Certificates, identity: str = "/peers/hangzhou") -> Tls:
    files = certificates.files(identity, serves=identity == "/peers/hangzhou")
    cert_file, key_file, ca_file = map(str, files)
    return Tls(cert_file=cert_file, key_file=key_file, ca_file=ca_file)


@asynccontextmanager
async def chain(
    directory: Path, certificates: Certificates
) -> AsyncIterator[tuple[SimchainProcess, int]]:
    config = chain_of_two(config_of(directory, certificates, NOWHERE))
    async with running(config, SystemClock()) as found:
        yield found


async def blocks(said: AsyncGenerator[Followed, None], count: int) -> list[module.SignedRecord]:
    found: list[module.SignedRecord] = []
    async for one in said:
        found += one.blocks
        if len(found) >= count:
            break
    return found


async def test_a_chain_is_followed_and_takes_transactions(
    tmp_path: Path, certificates: Certificates
) -> None:
    async with chain(tmp_path, certificates) as (process, port):
        remote = RemoteChain(f"127.0.0.1:{port}", tls(certificates), SystemClock())
        await process.node.above(3)
        async with aclosing(remote.follow(2)) as said:
            found = await blocks(said, 2)
            height = await remote.submit(EMPTY)
            await process.node.above(height - 1)
        known = process.node.chain
        for at, one in enumerate(found, 2):
            header = encode_signed_header(known.light_block(at).signed)
            assert (one.record, one.header) == (known.record(at), header)
        result = known.result(transaction_hash(EMPTY))
        assert result is not None
        assert result.height == height


@pytest.mark.parametrize("identity", ["/peers/suzhou", "/relayers/one", "/hub"])
async def test_another_ones_certificate_is_refused(
    tmp_path: Path, certificates: Certificates, identity: str
) -> None:
    async with chain(tmp_path, certificates) as (process, port):
        other = RemoteChain(f"127.0.0.1:{port}", tls(certificates, identity), SystemClock())
        with pytest.raises(RemoteError) as caught:
            await blocks(other.follow(1), 1)
        assert caught.value.reason == Reason.IDENTITY_NOT_ALLOWED
        assert process.node.chain.result(transaction_hash(EMPTY)) is None


async def test_a_height_that_the_chain_has_not_is_refused_with_its_reason(
    tmp_path: Path, certificates: Certificates
) -> None:
    async with chain(tmp_path, certificates) as (_, port):
        remote = RemoteChain(f"127.0.0.1:{port}", tls(certificates), SystemClock())
        with pytest.raises(RemoteError) as caught:
            await blocks(remote.follow(10_000), 1)
        assert caught.value.reason == Reason.HEADER_NOT_FOUND


async def test_the_end_of_the_chains_process_ends_the_stream(
    tmp_path: Path, certificates: Certificates
) -> None:
    async with chain(tmp_path, certificates) as (_, port):
        remote = RemoteChain(f"127.0.0.1:{port}", tls(certificates), SystemClock())
        said = remote.follow(1)
        await anext(said)
    with pytest.raises(RemoteError):
        await blocks(said, 10_000)
    with pytest.raises(RemoteError) as caught:
        await remote.submit(EMPTY)
    assert (caught.value.code, caught.value.reason) == ("UNAVAILABLE", None)


async def test_nobody_there_is_told(certificates: Certificates) -> None:
    remote = RemoteChain(NOWHERE, tls(certificates), SystemClock())
    with pytest.raises(RemoteError) as caught:
        await blocks(remote.follow(1), 1)
    assert (caught.value.code, caught.value.reason) == ("UNAVAILABLE", None)


async def test_a_chain_that_takes_the_connection_and_says_nothing_is_given_up(
    certificates: Certificates,
) -> None:
    clock = ManualClock()
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        said = RemoteChain(address, tls(certificates), clock).follow(1)
        waiting = asyncio.ensure_future(anext(said))
        await until(lambda: clock.is_awaited)
        await clock.advance(SILENCE)
        with pytest.raises(RemoteError) as caught:
            await waiting
    assert caught.value.message == "the chain's process is silent"


async def test_certificates_that_cannot_be_read_are_told(certificates: Certificates) -> None:
    broken = msgspec.structs.replace(tls(certificates), cert_file="/nowhere.crt")
    with pytest.raises(FieldInvalid):
        await anext(RemoteChain(NOWHERE, broken, SystemClock()).follow(1))


async def test_a_transaction_that_is_too_long_never_leaves(certificates: Certificates) -> None:
    remote = RemoteChain(NOWHERE, tls(certificates), SystemClock())
    with pytest.raises(LimitExceeded):
        await remote.submit(bytes(MAX_TRANSACTION + 1))


class Hanging(service.SimchainServiceServicer):
    """Tells of no block, and takes transactions without an answer."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.ends = asyncio.Event()

    async def FollowBlocks(  # noqa: N802 - gRPC names it
        self, request: pb.FollowBlocksRequest, context: Any
    ) -> AsyncIterator[pb.FollowBlocksResponse]:
        yield pb.FollowBlocksResponse(height=request.from_height)
        await self.ends.wait()

    async def SubmitTransaction(  # noqa: N802 - gRPC names it
        self, request: pb.SubmitTransactionRequest, context: Any
    ) -> pb.SubmitTransactionResponse:
        self.asked.set()
        await asyncio.Event().wait()
        raise AssertionError(request)


@asynccontextmanager
async def hanging(certificates: Certificates) -> AsyncIterator[tuple[Hanging, RemoteChain]]:
    servicer = Hanging()  # type: ignore[abstract]  # nobody asks it for more
    server = grpc.aio.server()
    service.add_SimchainServiceServicer_to_server(servicer, server)
    port = server.add_secure_port("127.0.0.1:0", certificates.server("/peers/hangzhou"))
    await server.start()
    try:
        yield servicer, RemoteChain(f"127.0.0.1:{port}", tls(certificates), SystemClock())
    finally:
        await server.stop(None)


async def test_a_transaction_under_way_over_a_connection_that_is_given_up_is_unknown(
    certificates: Certificates,
) -> None:
    async with hanging(certificates) as (servicer, remote):
        said = remote.follow(1)
        await anext(said)
        waiting = asyncio.ensure_future(remote.submit(EMPTY))
        await servicer.asked.wait()
        await said.aclose()
        with pytest.raises(RemoteError) as caught:
            await waiting
        assert (caught.value.code, caught.value.reason) == ("UNAVAILABLE", None)


async def test_one_who_gives_up_a_transaction_is_not_told_of_the_connection(
    certificates: Certificates,
) -> None:
    async with hanging(certificates) as (servicer, remote), aclosing(remote.follow(1)) as said:
        await anext(said)
        waiting = asyncio.ensure_future(remote.submit(EMPTY))
        await servicer.asked.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_a_stream_that_ends_in_peace_is_an_end_all_the_same(
    certificates: Certificates,
) -> None:
    async with hanging(certificates) as (servicer, remote):
        said = remote.follow(7)
        assert await anext(said) == Followed((), 7)
        servicer.ends.set()
        with pytest.raises(RemoteError):
            await anext(said)


def test_parts_are_put_together_over_answers() -> None:
    record = bytearray()
    first = pb.FollowBlocksResponse(
        parts=[pb.BlockPart(record=b"a", header=b"h1"), pb.BlockPart(record=b"b")]
    )
    second = pb.FollowBlocksResponse(
        parts=[pb.BlockPart(record=b"c", header=b"h2"), pb.BlockPart(record=b"d", header=b"h3")]
    )
    found = module._whole(first, record) + module._whole(second, record)
    expected = [(b"a", b"h1"), (b"bc", b"h2"), (b"d", b"h3")]
    assert [(one.record, one.header) for one in found] == expected
    assert record == b""


def test_a_block_beyond_all_bounds_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_RECORD", 3)
    answer = pb.FollowBlocksResponse(parts=[pb.BlockPart(record=b"ab")] * 2)
    with pytest.raises(RecordCorrupt):
        module._whole(answer, bytearray())
