"""Ways to change a frame."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.packet import MAX_PAYLOAD_BYTES
from hub.wire.frames import MAX_FRAME_BYTES, MAX_ITEMS
from hub.wire.packet import decode_packet, encode_packet
from tests.fuzz.operators import Operator, bytewise
from tests.fuzz.proto_tree import changed
from tests.fuzz.targets import batches, header_operators, proofs
from tests.fuzz.targets.frame_samples import LANE, TRUE_FRAMES

if TYPE_CHECKING:
    from collections.abc import Callable, MutableSequence
    from random import Random

_HEIGHT: dict[int, Any] = {}
_PACKET: dict[int, Any] = {5: {}}
_ANSWER: dict[int, Any] = {}
_HEADER: dict[int, Any] = {}
_SCHEMA: Final[dict[int, Any]] = {
    5: {2: {}},
    6: {2: _HEIGHT, 3: _PACKET},
    7: {2: _HEIGHT, 4: _ANSWER},
    8: {3: _HEIGHT},
    11: {2: _HEADER, 3: _HEADER, 4: _HEIGHT, 5: _HEIGHT},
}
_WITH_ITEMS: Final = ("packets", "acknowledgements")
_OF_ONE_LANE: Final = (*_WITH_ITEMS, "absence")
_OTHER_LANES: Final = (
    str(LANE),
    LANE.reverse.name,
    "lanes/suzhou~07-tendermint-0~hangzhou~07-tendermint-4",
    "lanes/wuxi~07-tendermint-0~hangzhou~07-tendermint-3",
    "lanes/suzhou~07-tendermint-0~hangzhou",
    "lanes/suzhou~07-tendermint-00~hangzhou~07-tendermint-3",
    "lanes/SUZHOU~07-tendermint-0~hangzhou~07-tendermint-3",
    LANE.name + "~",
    "",
)


def _frame(rng: Random, *kinds: str) -> pb.AdapterFrame:
    """A copy of a true frame, of one of *kinds* if any are told."""
    fitting = [one for one in TRUE_FRAMES if not kinds or one.WhichOneof("body") in kinds]
    copy = pb.AdapterFrame()
    copy.CopyFrom(rng.choice(fitting))
    return copy


def _body(frame: pb.AdapterFrame) -> Any:
    return getattr(frame, str(frame.WhichOneof("body")))


def _lane(rng: Random) -> bytes:
    frame = _frame(rng, *_OF_ONE_LANE)
    _body(frame).lane = rng.choice(_OTHER_LANES)
    return frame.SerializeToString()


def _proof_height(rng: Random) -> bytes:
    frame = _frame(rng, *_OF_ONE_LANE)
    height = _body(frame).proof_height
    if rng.random() < 0.3:
        height.revision = rng.choice((0, 2, 2**63, 2**64 - 1))
    else:
        height.number = rng.choice((0, 7, 8, 11, 12, 13, 2**63, 2**64 - 1, height.number + 1))
    return frame.SerializeToString()


def _items_listed(rng: Random) -> bytes:
    """An item dropped, doubled, moved, added; of acknowledgements at times the sequence too."""
    frame = _frame(rng, *_WITH_ITEMS)
    body = _body(frame)
    kind = frame.WhichOneof("body")
    items = body.packets if kind == "packets" else body.acknowledgements
    place, to = rng.randrange(len(items)), rng.randrange(len(items))
    how = rng.randrange(5)
    _listed(items, place, to, how, _other_item(rng))
    if kind == "acknowledgements" and rng.random() < 0.5:
        _listed(body.sequences, place, to, how, rng.randint(1, 40))
    return frame.SerializeToString()


def _listed(items: MutableSequence[Any], at: int, to: int, how: int, other: Any) -> None:
    if how == 0:
        del items[at]
    elif how == 1:
        items.append(items[at])
    elif how == 2:
        items[at], items[to] = items[to], items[at]
    elif how == 3:
        items[at] = other
    else:
        items.append(other)


def _other_item(rng: Random) -> bytes:
    body = _body(_frame(rng, *_WITH_ITEMS))
    return bytes(rng.choice(body.packets if hasattr(body, "packets") else body.acknowledgements))


def _packet(rng: Random) -> bytes:
    """A packet or an acknowledgement changed within, and written again."""
    frame = _frame(rng, *_WITH_ITEMS)
    body = _body(frame)
    is_packets = frame.WhichOneof("body") == "packets"
    items = body.packets if is_packets else body.acknowledgements
    at = rng.randrange(len(items))
    items[at] = changed(items[at], _PACKET if is_packets else _ANSWER, rng)
    return frame.SerializeToString()


def _payload_too_large(rng: Random) -> bytes:
    frame = _frame(rng, "packets")
    items = frame.packets.packets
    at = rng.randrange(len(items))
    packet = decode_packet(items[at])
    large = replace(packet.payloads[0], value=bytes(MAX_PAYLOAD_BYTES + rng.randint(1, 99)))
    items[at] = encode_packet(replace(packet, payloads=(large,)))
    return frame.SerializeToString()


def _too_many(rng: Random) -> bytes:
    frame = _frame(rng)
    match frame.WhichOneof("body"):
        case "packets":
            frame.packets.packets.extend([frame.packets.packets[0]] * MAX_ITEMS)
        case "acknowledgements":
            frame.acknowledgements.sequences.extend(range(1, MAX_ITEMS + 1))
        case "headers":
            one = frame.headers.headers[0]
            for _ in range(MAX_ITEMS):
                frame.headers.headers.add().CopyFrom(one)
        case _:
            frame = _frame(rng, *_WITH_ITEMS)
            _body(frame).proof_batch = bytes(MAX_FRAME_BYTES)
    return frame.SerializeToString()


def _sequence(rng: Random) -> bytes:
    frame = _frame(rng, "acknowledgements", "absence")
    others = (0, 1, 30, 31, 39, 50, 2**63 - 1, 2**63, 2**64 - 1)
    if frame.WhichOneof("body") == "absence":
        frame.absence.sequence = rng.choice(others)
    else:
        sequences = frame.acknowledgements.sequences
        at = rng.randrange(len(sequences))
        sequences[at] = rng.choice((*others, sequences[at] + 1, sequences[at] - 1))
    return frame.SerializeToString()


def _batch(rng: Random) -> bytes:
    """The batch of a frame changed as a batch, or another's."""
    frame = _frame(rng, *_WITH_ITEMS)
    body = _body(frame)
    other = _body(_frame(rng, *_WITH_ITEMS)).proof_batch
    strange = rng.choice(_BATCH_OPERATORS).make(rng)
    body.proof_batch = rng.choice((other, b"", strange.batch if strange else b"\x00"))
    return frame.SerializeToString()


def _absence_proof(rng: Random) -> bytes:
    frame = _frame(rng, "absence")
    other = _frame(rng, "absence").absence.proof
    strange = rng.choice(_PROOF_OPERATORS).make(rng)
    tree = changed(frame.absence.proof, proofs.SCHEMA, rng)
    frame.absence.proof = rng.choice((other, b"", tree, tree, strange.proof if strange else tree))
    return frame.SerializeToString()


def _header(rng: Random) -> bytes:
    """A header of a frame changed as a header."""
    strange = rng.choice(header_operators.OPERATORS).make(rng)
    frame = _frame(rng, "headers", "misbehaviour")
    if strange is None:
        return _header_places(rng)
    if frame.WhichOneof("body") == "headers":
        one = rng.choice(frame.headers.headers)
        one.content = strange.content
        if rng.random() < 0.7:
            frame.headers.validator_sets.append(strange.validators)
            one.validator_set = len(frame.headers.validator_sets) - 1
    else:
        side = rng.choice((frame.misbehaviour.first, frame.misbehaviour.second))
        side.content, side.validators = strange.content, strange.validators
    return frame.SerializeToString()


def _header_places(rng: Random) -> bytes:
    """Sets that are missing or named wrong, headers gone or doubled, sides of misbehaviour."""
    frame = _frame(rng, "headers", "misbehaviour")
    if frame.WhichOneof("body") == "headers":
        batch = frame.headers
        how = rng.randrange(4)
        if how == 0:
            rng.choice(batch.headers).validator_set = rng.choice((1, 2, 2**32 - 1))
        elif how == 1:
            del batch.validator_sets[:]
        elif how == 2:
            del batch.headers[:]
        else:
            batch.validator_sets[0] = rng.choice((b"", batch.validator_sets[0][:-1], b"\x00"))
        return frame.SerializeToString()
    found = frame.misbehaviour
    how = rng.randrange(4)
    if how == 0:
        found.second.CopyFrom(found.first)
    elif how == 1:
        found.peer = rng.choice(("peers/wuxi", "wuxi", "peers/", "peers/peers/suzhou"))
    elif how == 2:
        height = rng.choice((found.first_trusted_height, found.second_trusted_height))
        height.number = rng.choice((0, 2, 3, 2**63))
    else:
        found.ClearField(rng.choice(("first", "second", "first_trusted_height")))
    return frame.SerializeToString()


def _body_moved(rng: Random) -> bytes:
    """The bytes of one kind of body under the number of another."""
    data = _frame(rng).SerializeToString()
    number = rng.choice((2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15))
    return data[:2] + bytes((number << 3 | 2,)) + data[3:]


def _two_bodies(rng: Random) -> bytes:
    """Two frames in one: the last body wins, or both are merged if they are of one kind."""
    return _frame(rng).SerializeToString() + _frame(rng).SerializeToString()


def _protobuf(rng: Random) -> bytes:
    return changed(_frame(rng).SerializeToString(), _SCHEMA, rng)


def _pick(rng: Random) -> tuple[bytes, Callable[[bytes], bytes]]:
    return _frame(rng).SerializeToString(), bytes


def _rarely(make: Callable[[Random], bytes]) -> Callable[[Random], bytes | None]:
    return lambda rng: make(rng) if rng.random() < 0.1 else None


_BATCH_OPERATORS: Final = batches.target().operators
_PROOF_OPERATORS: Final = proofs.target().operators

OPERATORS: Final[tuple[Operator[bytes], ...]] = (
    Operator("lane", _lane),
    Operator("proof height", _proof_height),
    Operator("items dropped, doubled, moved, added", _items_listed),
    Operator("item changed within", _packet),
    Operator("payload too large", _rarely(_payload_too_large)),
    Operator("too many items or bytes", _rarely(_too_many)),
    Operator("sequence", _sequence),
    Operator("proof batch", _batch),
    Operator("absence proof", _absence_proof),
    Operator("header or side of misbehaviour", _header),
    Operator("places in a frame of headers", _header_places),
    Operator("body of another kind", _body_moved),
    Operator("two frames in one", _two_bodies),
    Operator("protobuf", _protobuf),
    *bytewise(_pick),
)
