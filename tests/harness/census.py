"""A census to show, and how a process may be."""

from __future__ import annotations

from hub.core.census import Census, LaneCensus, PeerCensus, Vitals
from hub.core.record import ExceptionKind
from hub.core.time import MILLISECOND, SECOND, Duration, Timestamp
from tests.harness.registry import HANGZHOU, key_of

NOW = Timestamp(1_800_000_000 * SECOND)
KEY = key_of()

PEER = PeerCensus(
    peer=HANGZHOU,
    relayer="east-1",
    epoch=3,
    is_attached=True,
    header_height=70,
    header_time=Timestamp(NOW - 2 * SECOND),
    expires_at=Timestamp(NOW + 600 * SECOND),
    is_frozen=False,
    evidence_count=0,
)
LANE = LaneCensus(
    key=KEY,
    is_open=True,
    accepted_count=10,
    ended_count=6,
    open_count=3,
    owed_count=1,
    oldest_at=Timestamp(NOW - 5 * SECOND),
    exceptions={ExceptionKind.PARKED: 2},
)
CENSUS = Census(at=NOW, peers=(PEER,), lanes=(LANE,), partition_days=7)
VITALS = Vitals(
    loop_lag=Duration(20 * MILLISECOND),
    database_latency=Duration(3 * MILLISECOND),
    clock_skew=-MILLISECOND,
)
