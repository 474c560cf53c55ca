"""Limits of the listener: what a caller may ask of it before anything is looked at.

Source: reliability notes, section 9; gRPC core, grpc/impl/channel_arg_names.h.
"""

from __future__ import annotations

from typing import Final

MAX_CONCURRENT_RPCS: Final = 256
MAX_DEADLINE_S: Final = 300
"""Seconds; a unary call without a deadline, or with a longer one, is refused."""

_IDENTITY, _GZIP = 1 << 0, 1 << 2

CHANNEL_OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    ("grpc.max_receive_message_length", 1024 * 1024),
    ("grpc.max_send_message_length", 16 * 1024 * 1024),
    ("grpc.max_metadata_size", 4096),
    ("grpc.absolute_max_metadata_size", 8192),
    ("grpc.max_concurrent_streams", 64),
    ("grpc.server_handshake_timeout_ms", 5_000),
    ("grpc.max_connection_idle_ms", 300_000),
    ("grpc.max_connection_age_ms", 3_600_000),
    ("grpc.max_connection_age_grace_ms", 30_000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 20_000),
    ("grpc.http2.max_ping_strikes", 2),
    ("grpc.compression_enabled_algorithms_bitset", _IDENTITY | _GZIP),
    ("grpc.so_reuseport", 0),
)
"""Two servers on one port would be a mistake to hear of: no port is shared."""
