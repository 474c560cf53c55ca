from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest

from hub.core.errors import FieldInvalid
from hub.wire.identity.credentials import channel_credentials, server_credentials
from hub.wire.identity.spiffe import caller
from tests.harness.certificates import TRUST_DOMAIN, Certificates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

METHOD = "/test.Echo/WhoAmI"


async def who_am_i(_: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
    return str(caller(context, TRUST_DOMAIN)).encode()


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates.make(tmp_path)


@pytest.fixture
async def address(certificates: Certificates) -> AsyncIterator[str]:
    server = grpc.aio.server()
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(who_am_i)
    generic = grpc.method_handlers_generic_handler("test.Echo", {"WhoAmI": handler})
    server.add_generic_rpc_handlers((generic,))
    port = server.add_secure_port("127.0.0.1:0", certificates.server())
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


async def ask(address: str, credentials: grpc.ChannelCredentials) -> str:
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.secure_channel(address, credentials, options=options) as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)
        return (await call(b"", timeout=10)).decode()


async def test_the_server_sees_the_identity_of_the_caller(
    address: str, certificates: Certificates
) -> None:
    assert await ask(address, certificates.channel("/peers/suzhou")) == (
        "spiffe://ydhub.local/peers/suzhou"
    )


async def test_a_caller_without_certificate_or_of_another_authority_is_not_heard(
    address: str, certificates: Certificates, tmp_path: Path
) -> None:
    other = Certificates.make(tmp_path / "other")
    certificate, key, _ = other.files("/peers/suzhou")
    ca = tmp_path / "ca.crt"
    strangers = [
        grpc.ssl_channel_credentials(ca.read_bytes()),
        channel_credentials(certificate, key, ca),
        other.channel("/peers/suzhou"),
    ]
    for credentials in strangers:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await ask(address, credentials)
        assert raised.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_certificate_that_may_not_serve_is_not_believed(
    certificates: Certificates,
) -> None:
    server = grpc.aio.server()
    credentials = server_credentials(*certificates.files("/peers/suzhou"))
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await ask(f"127.0.0.1:{port}", certificates.channel("/admins/li"))
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    await server.stop(None)


async def test_new_files_count_for_the_next_connection(
    address: str, certificates: Certificates, tmp_path: Path
) -> None:
    other = Certificates.make(tmp_path / "other")
    files, fresh = certificates.files("/hub", serves=True), other.files("/hub", serves=True)
    before, after = certificates.channel("/admins/li"), other.channel("/admins/li")
    files[1].write_bytes(fresh[1].read_bytes())
    assert await ask(address, before), "a key without its certificate is not taken"
    files[0].write_bytes(b"not PEM")
    assert await ask(address, before), "what cannot be read is not taken"
    for file, source in zip(files, fresh, strict=True):
        file.write_bytes(source.read_bytes())
    assert await ask(address, after)
    with pytest.raises(grpc.aio.AioRpcError):
        await ask(address, before)


def test_a_file_that_is_no_pem_is_named(certificates: Certificates, tmp_path: Path) -> None:
    certificate, key, ca = certificates.files("/hub", serves=True)
    key.write_bytes(b"\x00")
    with pytest.raises(FieldInvalid) as raised:
        server_credentials(certificate, key, ca)
    assert raised.value.field == str(key)
    with pytest.raises(FieldInvalid) as missing:
        channel_credentials(certificate, tmp_path / "none", ca)
    assert missing.value.problem == "cannot be read: No such file or directory"
