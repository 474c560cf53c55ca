"""Checks of light clients: what is frozen, expired or close to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ydhub.client.v1 import client_pb2

from hub.cli.doctor.findings import failed, few, fine, shown, unknown, warning
from hub.wire.times import timestamp_from_proto

if TYPE_CHECKING:
    from hub.cli.doctor.findings import Examined, Verdict
    from hub.core.time import Timestamp

_UNLISTED = "the clients were not listed"


def frozen(seen: Examined) -> Verdict:
    """No client is frozen."""
    if seen.clients is None:
        return unknown(_UNLISTED)
    found = [
        f"{_short(client)} ({client.frozen_cause or 'on its chain'})"
        for client in seen.clients
        if client.status == client_pb2.CLIENT_STATUS_FROZEN
    ]
    if found:
        fix = "look at `ydhub client evidence list PEER`; people decide whether it is recovered"
        return failed(few(found), fix)
    return fine(f"none of {len(seen.clients)}")


def expired(seen: Examined) -> Verdict:
    """No client has expired."""
    found = _of_status(seen, client_pb2.CLIENT_STATUS_EXPIRED)
    if found is None:
        return unknown(_UNLISTED)
    if found:
        fix = "the trust that is over cannot be updated: `ydhub client recover` from a new anchor"
        return failed(few(found), fix)
    return fine("none")


def pending(seen: Examined) -> Verdict:
    """Every client has seen the header that its anchor names."""
    found = _of_status(seen, client_pb2.CLIENT_STATUS_PENDING)
    if found is None:
        return unknown(_UNLISTED)
    if found:
        fix = "its adapter must attach and show the header of the anchor's height"
        return warning(few(found), fix)
    return fine("none")


def expiring(seen: Examined) -> Verdict:
    """Every client is refreshed in time: at half of its trusting period."""
    if seen.clients is None:
        return unknown(_UNLISTED)
    late, soon = [], []
    for client in seen.clients:
        if client.status != client_pb2.CLIENT_STATUS_ACTIVE or not client.expire_time.seconds:
            continue
        left = timestamp_from_proto(client.expire_time) - seen.now
        period = client.options.trusting_period.ToNanoseconds()
        line = f"{_short(client)} ({shown(left)} left)"
        if left * 10 <= period:
            late.append(line)
        elif left * 3 <= period:
            soon.append(line)
    fix = "look whether its adapters are attached; the relayer refreshes it once they are"
    if late:
        return failed(few(late), fix)
    if soon:
        return warning(few(soon), fix)
    first = _first_end(seen)
    return fine(f"the first ends in {shown(first - seen.now)}" if first else "none is active")


def _first_end(seen: Examined) -> Timestamp | None:
    ends = [
        timestamp_from_proto(client.expire_time)
        for client in seen.clients or ()
        if client.status == client_pb2.CLIENT_STATUS_ACTIVE and client.expire_time.seconds
    ]
    return min(ends, default=None)


def _of_status(seen: Examined, status: client_pb2.ClientStatus.ValueType) -> list[str] | None:
    if seen.clients is None:
        return None
    return [_short(client) for client in seen.clients if client.status == status]


def _short(client: client_pb2.Client) -> str:
    return client.name.removeprefix("peers/")
