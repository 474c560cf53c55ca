"""A relayer that was fenced writes nothing: 1,000 writes of every kind, and no row is another."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest

from hub.core.client import ChainClient, TrustOptions
from hub.core.errors import LeaseLost, Reason
from hub.core.height import Height
from hub.core.ids import ChainId, ClientId
from hub.core.ranges import RangeSet
from hub.core.record import Disproof, ExceptionKind, PacketException
from hub.core.time import SECOND, Duration
from hub.ports.clients import Clients
from hub.ports.forwarding import ForwardedAnswer, Forwarding, ForwardKind
from hub.ports.leases import Leases
from hub.ports.packets import Exceptions, Outcomes, Packets
from hub.registry.tables import metadata
from tests.harness.registry import (
    ADMIN,
    HANGZHOU,
    LEASE,
    SUZHOU,
    Opened,
    acceptance,
    acquire,
    anchor,
    header,
    opened,
    settlement,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hub.ports.leases import Fence
    from hub.registry.registry import PostgresRegistry

    Write = Callable[[Opened, Fence, Fence, int], Awaitable[object]]
    """Of the fences of Hangzhou and of Suzhou, both stale, and the number of the write."""

WRITES = 1000
MIRROR = ChainClient(
    peer=SUZHOU,
    client=ClientId("07-tendermint-0"),
    chain_id=ChainId("hangzhou-1"),
    latest_height=Height(1, 7),
    is_frozen=False,
    options=TrustOptions(trusting_period=Duration(SECOND), max_clock_drift=Duration(SECOND)),
    counterparty=None,
    counterparty_prefix=(),
)
DISPROOF = Disproof(outcome_index=0, sequence=1, height=7, proof=b"proof")
PARKED = PacketException(
    sequence=3,
    kind=ExceptionKind.PARKED,
    reason=Reason.INTERNAL,
    detail="",
    attempts=1,
    next_attempt_at=None,
)


async def _evidence(lanes: Opened, _: Fence, suzhou: Fence, _at: int) -> None:
    clients = lanes.registry.clients
    await clients.note_carried(suzhou, HANGZHOU, 1, ClientId("07-tendermint-0"))


async def _timeouts(lanes: Opened, _: Fence, suzhou: Fence, at: int) -> None:
    packets = lanes.registry.packets
    due = await packets.due_timeouts(lanes.lane, 2**40, 1)
    await packets.move_timeouts(suzhou, [(one, None if at % 2 else 2**40) for one in due])


KINDS: dict[str, Write] = {
    "accept": lambda lanes, hangzhou, _, at: lanes.registry.packets.accept(
        hangzhou, [acceptance(lanes.lane, [100 + at])]
    ),
    "move_timeouts": _timeouts,
    "drop_ended_timeouts": lambda lanes, _, suzhou, __: lanes.registry.packets.drop_ended_timeouts(
        suzhou, [lanes.lane]
    ),
    "record": lambda lanes, _, suzhou, at: lanes.registry.outcomes.record(
        suzhou, [settlement(lanes.lane, [2 + at % 2])]
    ),
    "record_delivered": lambda lanes, _, suzhou, at: lanes.registry.outcomes.record_delivered(
        suzhou, lanes.lane, RangeSet.of([2 + at % 2])
    ),
    "record_completed": lambda lanes, hangzhou, _, __: lanes.registry.outcomes.record_completed(
        hangzhou, lanes.lane, RangeSet.of([0])
    ),
    "reopen": lambda lanes, hangzhou, _, __: lanes.registry.outcomes.reopen(
        hangzhou, lanes.lane, 1, [DISPROOF]
    ),
    "remove": lambda lanes, _, suzhou, __: lanes.registry.exceptions.remove(
        suzhou, lanes.lane, RangeSet.of([2, 3])
    ),
    "put": lambda lanes, _, suzhou, __: lanes.registry.exceptions.put(suzhou, lanes.lane, [PARKED]),
    "add_headers": lambda lanes, _, suzhou, at: lanes.registry.clients.add_headers(
        suzhou, anchor(), [header(1000 + at)]
    ),
    "put_chain_client": lambda lanes, _, suzhou, __: lanes.registry.clients.put_chain_client(
        suzhou, MIRROR
    ),
    "note_carried": _evidence,
    "renew": lambda lanes, hangzhou, _, __: lanes.registry.leases.renew(
        hangzhou, LEASE, attached=True
    ),
    "take": lambda lanes, hangzhou, _, __: lanes.registry.forwarding.take(hangzhou, 8),
    "answer": lambda lanes, hangzhou, _, __: lanes.registry.forwarding.answer(
        hangzhou, 1, ForwardedAnswer(b"late")
    ),
}
"""Every write that needs a lease; releasing one needs none, and changes nothing when it is over."""


def test_no_kind_of_write_is_left_out() -> None:
    ports = [Clients, Exceptions, Forwarding, Leases, Outcomes, Packets]
    fenced = {
        name
        for port in ports
        for name, method in inspect.getmembers(port, inspect.isfunction)
        if "fence" in inspect.signature(method).parameters
    }
    assert fenced == {*KINDS, "release"}


async def contents(postgres: PostgresRegistry) -> dict[str, str]:
    """A digest of every table's rows."""
    found = {}
    async with postgres.database.line() as line:
        for table in sorted(metadata.tables):
            query = f"SELECT md5(coalesce(string_agg(t::text, ',' ORDER BY t::text), '')) FROM {table} t"  # noqa: S608, E501 - our own tables
            found[table] = await line.fetchval(query)
    return found


@pytest.mark.parametrize("is_released", [False, True])
async def test_a_thousand_writes_of_a_fenced_relayer_change_no_row(
    postgres: PostgresRegistry,
    is_released: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    lanes = await opened(postgres)
    hangzhou, suzhou = lanes.source, lanes.destination
    await lanes.accept(1, 2, 3)
    await lanes.settle(1)
    await postgres.clients.freeze(
        HANGZHOU, "two truths", (Reason.CONSENSUS_STATE_DIFFERS, b"first", b"second"), ADMIN
    )
    await postgres.forwarding.ask(HANGZHOU, ForwardKind.HELLO, b"", "south-1")
    for fence in (hangzhou, suzhou):
        if is_released:
            await postgres.leases.release(fence)
        else:
            await postgres.leases.renew(fence, Duration(1), attached=True)
            await acquire(postgres, fence.peer, "west-1")
    before, refused = await contents(postgres), 0
    for at in range(WRITES):
        write = list(KINDS.values())[at % len(KINDS)]
        with pytest.raises(LeaseLost):
            await write(lanes, hangzhou, suzhou, at)
        await postgres.leases.release(hangzhou)
        refused += 1
    assert refused == WRITES
    assert await contents(postgres) == before
