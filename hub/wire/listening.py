"""What a listener lets anybody do to it, before anything of it is looked at: for every server.

Each setting has its reason beside it, and what it was seen to do: ``make abuse`` tries all of it
again, and prints what it sees. gRPC has no means against who opens many connections from one
address, or resets streams for ever: the address is counted by a front proxy (deploy/haproxy), and
what resets cost is bounded by how many streams a connection may have.

Source: reliability notes, sections 0.6, 4 and 9; gRPC core, grpc/impl/channel_arg_names.h.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import TypeAlias

    Options: TypeAlias = tuple[tuple[str, int], ...]

KIB: Final = 1024
MIB: Final = 1024 * KIB
_IDENTITY, _GZIP = 1 << 0, 1 << 2

IDLE_MS: Final = 25_000
"""A connection without a call is closed between once and twice this time after the last one."""
HANDSHAKE_MS: Final = 5_000

_ALIKE: Final[Options] = (
    # Over the first, requests are refused by chance, the more the larger; over the second, always.
    ("grpc.max_metadata_size", 4 * KIB),
    ("grpc.absolute_max_metadata_size", 8 * KIB),
    # TCP, TLS and the first HTTP/2 settings together. 2,000 connections that say nothing: closed
    # after 5 s; without, after 120 s.
    ("grpc.server_handshake_timeout_ms", HANDSHAKE_MS),
    # 2,000 connections without a call: closed after 27 s; without, never.
    ("grpc.max_connection_idle_ms", IDLE_MS),
    # Whoever reads nothing from its socket is found within 40 s.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # Pings more often than that are strikes; the third closes the connection.
    ("grpc.http2.min_ping_interval_without_data_ms", 20_000),
    ("grpc.http2.max_ping_strikes", 2),
    # What is decompressed counts against the limit of messages; 256 MiB of zeros leave no trace.
    ("grpc.compression_enabled_algorithms_bitset", _IDENTITY | _GZIP),
    # Two servers on one port would be a mistake to hear of: no port is shared.
    ("grpc.so_reuseport", 0),
)
"""The same for all."""


def options(*, receive: int, send: int, streams: int, connections: int) -> Options:
    """The options of a listener.

    Messages of *receive* bytes at most are taken, and of *send* sent; a connection has *streams*
    at once, the listener *connections*.
    """
    return (
        *_ALIKE,
        ("grpc.max_receive_message_length", receive),
        ("grpc.max_send_message_length", send),
        # 9,000 resets a second on one connection: another caller's p99 is 5 ms with 16 streams,
        # 22 ms with 64, 340 ms (and every third call cancelled) without a limit; before it is 3 ms.
        # Streams that have just ended count too, so an honest caller stays at half of it: of 50
        # calls at once 14 were refused by 16. Not to be traded for grpc.http.overload_protection=0,
        # which makes such calls wait, and takes away what refuses the resets.
        ("grpc.max_concurrent_streams", streams),
        # 2,000 connections with TLS and no call took up to 90 KiB each; there are no more than so.
        ("grpc.max_allowed_incoming_connections", connections),
    )


AGES: Final[Options] = (
    # Calls end within seconds, so whoever is here for an hour is led to a fresh connection.
    ("grpc.max_connection_age_ms", 3_600_000),
    ("grpc.max_connection_age_grace_ms", 30_000),
)

CONTROL: Final[Options] = (
    *options(receive=MIB, send=16 * MIB, streams=32, connections=4096),
    *AGES,
)
"""The hub's control plane."""

ENROLMENT: Final[Options] = (
    *options(receive=64 * KIB, send=MIB, streams=8, connections=4096),
    *AGES,
)
"""Where cities enrol: nobody shows a certificate, so a connection may have the least.

Of connections there may be as many as elsewhere: whoever fills them up keeps the others out.
"""

SESSIONS: Final[Options] = options(receive=2 * MIB, send=4 * MIB, streams=16, connections=4096)
"""A relayer's gateway: frames of adapters; the updates of a client, and packets with their proof.

A session lasts for as long as it likes, so connections do not age.
"""
