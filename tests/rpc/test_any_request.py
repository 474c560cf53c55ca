"""Whatever a caller sends, the hub answers, or refuses with a reason that is no bug's."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message_factory import GetMessageClass

from hub.core.errors import Reason
from hub.server.server import SERVICES
from hub.wire.status import from_rpc_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.message import Message

    from tests.harness.exchange import Exchange
    from tests.harness.hub_server import Served

REQUESTS = 120
METHODS = {
    f"/{service.full_name}/{method.name}": method.input_type
    for service in SERVICES
    for method in service.methods
    if service.full_name.startswith("ydhub.") and not method.server_streaming
}
DIGESTS = (b"", b"\x00" * 32, b"\x01" * 32, b"ibc", b"\xff" * 40)
NUMBERS = (0, 1, 2, 3, 7, 50, 1000, 2**31 - 1)
WIDE = (0, 1, 2, 5, 2**31, 2**53, 2**63 - 1)
EDGES: dict[int, Sequence[Any]] = {
    FieldDescriptor.CPPTYPE_BOOL: (True, False),
    FieldDescriptor.CPPTYPE_ENUM: (0, 1, 2, 3, 99),
    FieldDescriptor.CPPTYPE_INT32: (*NUMBERS, -1, -(2**31)),
    FieldDescriptor.CPPTYPE_INT64: (*WIDE, -1, -(2**63)),
    FieldDescriptor.CPPTYPE_UINT32: (*NUMBERS, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (*WIDE, 2**64 - 1),
}


class Source:
    """Requests by chance: right names among wrong ones, edges of every number."""

    def __init__(self, seed: int, exchange: Exchange) -> None:
        self._random = random.Random(seed)
        lane = exchange.key.name
        self._texts = (
            "", "x", "peers/hangzhou", "peers/suzhou", "peers/nowhere", "peers/hangzhou/client",
            "peers/hangzhou/clients/07-tendermint-0", lane, exchange.key.reverse.name,
            f"{lane}/packets/1", f"{lane}/packets/2", f"{lane}/packets/99", "laneOpenings/1",
            "laneOpenings/9", f"{lane}/routes/transfer~transfer", f"{lane}/routes/aa~bb", "aa~bb",
            "07-tendermint", "hangzhou-1", "杭州", "\x00", "\u202e", "x" * 300, "'; DROP TABLE --",
            "%00", "../..", "\n", "peers/" + "a" * 64,
        )  # fmt: skip

    def message(self, descriptor: Any, depth: int = 0) -> Message:
        """A message whose every field is left out, or filled by chance."""
        message = GetMessageClass(descriptor)()
        for field in descriptor.fields:
            if self._random.random() < 0.25 or depth > 3:
                continue
            if field.is_repeated:
                values = [self._value(field, depth) for _ in range(self._random.randrange(4))]
                getattr(message, field.name).extend(values)
            elif field.message_type is not None:
                getattr(message, field.name).CopyFrom(self._value(field, depth))
            else:
                setattr(message, field.name, self._value(field, depth))
        return message

    def _value(self, field: Any, depth: int) -> Any:
        if field.message_type is not None:
            return self.message(field.message_type, depth + 1)
        if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
            choices: Sequence[Any] = (
                DIGESTS if field.type == FieldDescriptor.TYPE_BYTES else self._texts
            )
        else:
            choices = EDGES[field.cpp_type]
        return self._random.choice(choices)


@pytest.mark.parametrize("name", METHODS)
async def test_no_request_is_a_bug_of_ours(served: Served, exchange: Exchange, name: str) -> None:
    packets = exchange.send(2)
    await exchange.accept(packets)
    source = Source(7, exchange)
    answered: dict[str, int] = {}
    async with served.channel() as channel:
        call: Any = channel.unary_unary(name)
        for _ in range(REQUESTS):
            request = source.message(METHODS[name])
            try:
                await call(request.SerializeToString(), timeout=20)
            except grpc.aio.AioRpcError as error:
                found = from_rpc_error(error)
                assert found.reason not in {None, Reason.INTERNAL}, f"{request}\n{found}"
                answered[str(found.reason)] = answered.get(str(found.reason), 0) + 1
            else:
                answered["OK"] = answered.get("OK", 0) + 1
    assert sum(answered.values()) == REQUESTS
