"""What the messages of an executed transaction answered.

The bytes are those of ``ExecTxResult.data``, which the next header's ``last_results_hash`` covers.

Source: cosmos-sdk v0.53 proto/cosmos/base/abci/v1beta1/abci.proto, TxMsgData; ibc-go v10
proto/ibc/core/channel/v2/tx.proto, ResponseResultType.
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from hub.core.codec.proto import ProtoError, read_fields
from hub.core.errors import FieldInvalid
from hub.core.ids import parse_client_id

if TYPE_CHECKING:
    from hub.core.ids import ClientId

_RESPONSES = 2
_CHANNEL = "/ibc.core.channel.v2."
_CREATED: Final = "/ibc.core.client.v1.MsgCreateClientResponse"
_WITH_EFFECT: Final = frozenset(
    f"{_CHANNEL}{name}Response" for name in ("MsgRecvPacket", "MsgAcknowledgement", "MsgTimeout")
)
_WITH_SEQUENCE: Final = frozenset(
    {f"{_CHANNEL}MsgSendPacketResponse", "/ibc.applications.transfer.v1.MsgTransferResponse"}
)


class Effect(Enum):
    """What a packet's message did."""

    NOOP = 1
    """Nothing: it had been done before."""
    SUCCESS = 2
    FAILURE = 3


def read_effects(data: bytes) -> tuple[Effect | None, ...]:
    """The effect of each message of a transaction; None for those that tell none.

    Raises ``FieldInvalid``.
    """
    return tuple([_effect(answer) for answer in _answers(data)])


def created_client(data: bytes, index: int) -> ClientId:
    """The client that the message *index* created.

    Raises ``FieldInvalid`` or ``IdentifierInvalid``.
    """
    type_url, value = _answer(data, index)
    if type_url != _CREATED:
        raise _invalid(f"answers {type_url!r} where a client was created")
    return parse_client_id(_text(_fields(value).get(1, b"")))


def sent_sequence(data: bytes, index: int) -> int:
    """The sequence under which the message *index* sent its packet. Raises ``FieldInvalid``."""
    type_url, value = _answer(data, index)
    if type_url not in _WITH_SEQUENCE:
        raise _invalid(f"answers {type_url!r} where a packet was sent")
    return _number(value)


@lru_cache(maxsize=256)  # a transaction of 500 messages has two or three different answers
def _effect(answer: bytes) -> Effect | None:
    type_url, value = _any(answer)
    if type_url not in _WITH_EFFECT:
        return None
    result = _number(value)
    try:
        return Effect(result)
    except ValueError:
        raise _invalid(f"answers {type_url!r} with result {result}") from None


def _answer(data: bytes, index: int) -> tuple[str, bytes]:
    answers = _answers(data)
    if not 0 <= index < len(answers):
        raise _invalid(f"has {len(answers)} answers, none at {index}")
    return _any(answers[index])


def _answers(data: bytes) -> list[bytes]:
    """Each message's answer, an Any; the deprecated list before it stays empty."""
    found: list[bytes] = []
    try:
        for number, _, value in read_fields(data):
            if number != _RESPONSES or not isinstance(value, bytes):
                raise _invalid(f"has a field {number} that is no answer")
            found.append(value)
    except ProtoError as error:
        raise _invalid(str(error)) from error
    return found


def _any(answer: bytes) -> tuple[str, bytes]:
    fields = _fields(answer)
    type_url, value = fields.pop(1, b""), fields.pop(2, b"")
    if fields or isinstance(type_url, int) or isinstance(value, int):
        raise _invalid("an answer is no Any")
    return _text(type_url), value


def _number(message: bytes) -> int:
    """Field 1 of *message*, which has no other; 0 where it is left out."""
    fields = _fields(message)
    number = fields.pop(1, 0)
    if fields or not isinstance(number, int):
        raise _invalid("an answer has other fields than its own")
    return number


def _fields(message: bytes) -> dict[int, int | bytes]:
    found: dict[int, int | bytes] = {}
    try:
        for number, _, value in read_fields(message):
            if number in found:
                raise _invalid(f"an answer has field {number} twice")
            found[number] = value
    except ProtoError as error:
        raise _invalid(str(error)) from error
    return found


def _text(value: int | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _invalid(problem: str) -> FieldInvalid:
    return FieldInvalid(field="transaction data", problem=problem)
