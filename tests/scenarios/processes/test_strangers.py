"""Who may not speak is not heard: foreign certificates, other cities' names, old TLS, huge frames.

Nothing of it disturbs those who may.
"""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from ydhub.relay.v1 import relay_pb2 as pb
from ydhub.relay.v1.relay_service_pb2_grpc import RelayServiceStub

from adapters.sdk.ending import Ending
from hub.cli.dev.ca import open_authority
from hub.cli.dev.configs import chain_id
from hub.cli.dev.layout import CHAINS, RELAYER
from hub.core.errors import Reason
from hub.wire.identity.credentials import channel_credentials
from hub.wire.packet import encode_packet
from hub.wire.status import RemoteError, from_rpc_error
from tests.harness.certificates import Certificates, real_now
from tests.harness.network import HANGZHOU, SUZHOU
from tests.harness.packet_samples import PACKET
from tests.harness.proxy import proxy_to
from tests.harness.traffic import a_packet_passes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.harness.network import LiveNetwork

TLS_VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
ATTACH = "/ydhub.relay.v1.RelayService/Attach"


@pytest.fixture
async def undisturbed(live: LiveNetwork) -> AsyncIterator[LiveNetwork]:
    """Whatever the test does, the cities keep their sessions."""
    await live.attached(*CHAINS)
    before = sessions(live)
    yield live
    await live.attached(*CHAINS)
    assert sessions(live) == before


def sessions(live: LiveNetwork) -> list[int]:
    """How many sessions each city has begun so far."""
    return [live.network.layout.log(peer).read_text().count("session_opened") for peer in CHAINS]


def issued(live: LiveNetwork, directory: Path) -> Certificates:
    """What the network's own authority issues, to whomever."""
    layout = live.network.layout
    (directory / "ca.crt").write_bytes((layout.ca / "ca.crt").read_bytes())
    return Certificates(directory, open_authority(layout.ca, now=real_now()))


def hello(peer: str = SUZHOU, **fields: Any) -> pb.AdapterFrame:
    """The first frame of *peer*'s adapter."""
    found = pb.Hello(protocol_versions=[1], adapter="test", chain_id=chain_id(peer), **fields)
    return pb.AdapterFrame(frame_id=1, hello=found)


async def refusal(channel: grpc.aio.Channel, first: pb.AdapterFrame | bytes) -> RemoteError:
    """How the relayer ends the session that begins with *first*."""
    if isinstance(first, bytes):
        call: Any = channel.stream_stream(ATTACH)()
    else:
        call = RelayServiceStub(channel).Attach()
    ending = Ending(call)
    with suppress(grpc.aio.AioRpcError):
        await call.write(first)
        answer = await call.read()
        raise AssertionError(f"the relayer answered {answer}")
    return from_rpc_error(await ending.status())


@asynccontextmanager
async def dialled(
    live: LiveNetwork, credentials: grpc.ChannelCredentials | None = None, address: str = ""
) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to the relayer, or to a proxy before it."""
    target = address or live.network.addresses[RELAYER]
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]
    if credentials is None:
        async with grpc.aio.insecure_channel(target, options) as channel:
            yield channel
    else:
        async with grpc.aio.secure_channel(target, credentials, options) as channel:
            yield channel


async def test_the_certificate_of_a_foreign_authority_opens_nothing(
    undisturbed: LiveNetwork, tmp_path: Path
) -> None:
    certificate, key, _ = Certificates.make(tmp_path).files(f"/peers/{SUZHOU}")
    credentials = channel_credentials(certificate, key, undisturbed.network.layout.ca / "ca.crt")
    async with dialled(undisturbed, credentials) as channel:
        error = await refusal(channel, hello())
    assert (error.code, error.reason) == ("UNAVAILABLE", None)


async def test_who_shows_no_certificate_is_not_let_in(undisturbed: LiveNetwork) -> None:
    ca = (undisturbed.network.layout.ca / "ca.crt").read_bytes()
    async with dialled(undisturbed, grpc.ssl_channel_credentials(ca)) as channel:
        error = await refusal(channel, hello())
    assert (error.code, error.reason) == ("UNAVAILABLE", None)


async def test_another_trust_domain_is_not_believed(
    undisturbed: LiveNetwork, tmp_path: Path
) -> None:
    certificates = issued(undisturbed, tmp_path)
    credentials = certificates.channel(f"/peers/{SUZHOU}", trust_domain="elsewhere.local")
    async with dialled(undisturbed, credentials) as channel:
        error = await refusal(channel, hello())
    assert (error.code, error.reason) == ("UNAUTHENTICATED", Reason.CREDENTIALS_MISSING)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/admins/dev", Reason.IDENTITY_NOT_ALLOWED),
        ("/relayers/dev-1", Reason.IDENTITY_NOT_ALLOWED),
        ("/hub", Reason.IDENTITY_NOT_ALLOWED),
        ("/peers/nanjing", Reason.PEER_NOT_FOUND),
        (f"/peers/{HANGZHOU}", Reason.CHAIN_ID_MISMATCH),
    ],
)
async def test_only_its_own_certificate_speaks_for_a_city(
    undisturbed: LiveNetwork, tmp_path: Path, path: str, reason: Reason
) -> None:
    async with dialled(undisturbed, issued(undisturbed, tmp_path).channel(path)) as channel:
        assert (await refusal(channel, hello(SUZHOU))).reason is reason


@pytest.mark.parametrize("version", TLS_VERSIONS, ids=lambda version: version.name)
async def test_tls_before_1_3_is_refused(
    undisturbed: LiveNetwork, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    certificate, key, ca = issued(undisturbed, tmp_path).files("/peers/nanjing")
    context = ssl.create_default_context(cafile=ca)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2"])
    context.minimum_version = context.maximum_version = version
    async with (
        proxy_to(undisturbed.network.addresses[RELAYER], context) as proxy,
        dialled(undisturbed, address=proxy.address) as channel,
    ):
        error = await refusal(channel, hello())
    # Whoever is let in is an unknown city.
    is_let_in = version is ssl.TLSVersion.TLSv1_3
    assert error.reason is (Reason.PEER_NOT_FOUND if is_let_in else Reason.CREDENTIALS_MISSING)


@pytest.mark.parametrize(
    ("first", "code", "reason"),
    [
        (pb.AdapterFrame(hello=pb.Hello(adapter="x" * 3_000_000)), "RESOURCE_EXHAUSTED", None),
        (b"\xff" * 100, "INVALID_ARGUMENT", Reason.FRAME_INVALID),
        (pb.AdapterFrame(heartbeat=pb.Heartbeat()), "INVALID_ARGUMENT", Reason.FRAME_INVALID),
    ],
    ids=["oversized", "garbage", "no_hello"],
)
async def test_what_is_no_hello_ends_the_call_alone(
    undisturbed: LiveNetwork, first: pb.AdapterFrame | bytes, code: str, reason: Reason | None
) -> None:
    certificate = undisturbed.network.layout.certificate(f"peer-{SUZHOU}")
    async with dialled(undisturbed, channel_credentials(*certificate)) as channel:
        error = await refusal(channel, first)
    assert (error.code, error.reason) == (code, reason)


async def test_a_city_cannot_speak_for_the_other_end_of_its_lane(live: LiveNetwork) -> None:
    """Its own adapter's session ends by that, and it comes again."""
    lane = live.lane(HANGZHOU, SUZHOU)
    certificate = live.network.layout.certificate(f"peer-{SUZHOU}")
    async with dialled(live, channel_credentials(*certificate)) as channel:
        call: Any = RelayServiceStub(channel).Attach()
        await call.write(hello())
        assert (await call.read()).WhichOneof("body") == "welcome"
        packet = replace(PACKET, source_client=lane.source_client, sequence=1)
        packet = replace(packet, destination_client=lane.destination_client)
        packets = pb.PacketBatch(
            lane=lane.name, packets=[encode_packet(packet)], proof_batch=b"proof"
        )
        packets.proof_height.number = 1
        await call.write(pb.AdapterFrame(frame_id=2, packets=packets))
        while (frame := await call.read()).WhichOneof("body") != "verdict":
            pass
        call.cancel()
    assert [refused.reason for refused in frame.verdict.refused] == [Reason.IDENTITY_NOT_ALLOWED]
    await live.attached(*CHAINS)
    await a_packet_passes(live)
    await live.judged()
