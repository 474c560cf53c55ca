"""The packet data of fungible-token transfers, and how a denomination tells its way.

A voucher's denomination is its trace: ``{port}/{client}/`` of the chain that holds it, then the
denomination on the chain it came from. A chain's own denomination has no slash.

Two encodings are read: protobuf, which this chain sends, and JSON, which ibc-go's chains send where
they are not told otherwise.

Source: ICS-20 v1 FungibleTokenPacketData on IBC v2; ibc-go v10 modules/apps/transfer/types
(packet.go MarshalPacketData, UnmarshalPacketData; encoding.go: no unknown field; denom.go); proto
ibc/applications/transfer/v1/packet.proto.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from adapters.simchain.bank import MAX_AMOUNT
from hub.core.codec.proto import ProtoError, bytes_field, read_fields
from hub.core.errors import EncodingNotCanonical, FieldInvalid
from hub.core.ids import parse_client_id, parse_port_id
from hub.core.packet import Payload

if TYPE_CHECKING:
    from hub.core.ids import ClientId, PortId

VERSION: Final = "ics20-1"
ENCODING: Final = "application/x-protobuf"
"""What this chain sends."""
JSON_ENCODING: Final = "application/json"
MAX_TEXT: Final = 512
"""Characters of a denomination, sender, receiver or memo."""

_AMOUNT = re.compile(r"[1-9][0-9]{0,77}")
_BASE = re.compile(r"[a-zA-Z][a-zA-Z0-9:._-]{1,127}")
_ACCOUNT = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}")
_FIELDS = ("denomination", "amount", "sender", "receiver", "memo")


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferData:
    """One transfer, as the sending chain sees it."""

    denomination: str
    amount: int
    """Whole units."""
    sender: str
    receiver: str
    memo: str = ""


class _Json(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The same fields by the names of their protobuf message; those that are empty are left out."""

    denom: str = ""
    amount: str = ""
    sender: str = ""
    receiver: str = ""
    memo: str = ""


def payload_of(port: PortId, data: TransferData) -> Payload:
    """*data* between the applications behind *port* of both chains."""
    return Payload(
        source_port=port,
        destination_port=port,
        version=VERSION,
        encoding=ENCODING,
        value=encode_transfer(data),
    )


def encode_transfer(data: TransferData) -> bytes:
    """``FungibleTokenPacketData``."""
    texts = (data.denomination, str(data.amount), data.sender, data.receiver, data.memo)
    return b"".join([bytes_field(number, text.encode()) for number, text in enumerate(texts, 1)])


def encode_json(data: TransferData) -> bytes:
    """The data as ibc-go's chains send it by default."""
    return msgspec.json.encode(
        _Json(data.denomination, str(data.amount), data.sender, data.receiver, data.memo)
    )


def decode_transfer(payload: Payload) -> TransferData:
    """The transfer that *payload* asks for. Raises ``FieldInvalid`` or ``EncodingNotCanonical``."""
    if payload.version != VERSION or payload.encoding not in {ENCODING, JSON_ENCODING}:
        raise _bad("payload", f"is {payload.version}, {payload.encoding}")
    if payload.encoding == JSON_ENCODING:
        return _checked(_json_texts(payload.value))
    data = _checked(_protobuf_texts(payload.value))
    if encode_transfer(data) != payload.value:
        raise EncodingNotCanonical(what="transfer")
    return data


def check_denomination(text: str) -> None:
    """*text* is hops, or none, and then a chain's own denomination. Raises ``FieldInvalid``."""
    *hops, base = text.split("/")
    if len(hops) % 2 or _BASE.fullmatch(base) is None:
        raise _bad("denomination", "is not hops of port and client, then a name without a slash")
    for port, client in zip(hops[::2], hops[1::2], strict=True):
        parse_port_id(port)
        parse_client_id(client)


def check_account(text: str, field: str) -> None:
    """*text* can be a user's account on this chain. Raises ``FieldInvalid``."""
    if _ACCOUNT.fullmatch(text) is None:
        raise _bad(field, "is not 1 to 64 of a-z A-Z 0-9 . _ -")


def hop(port: PortId, client: ClientId) -> str:
    """What goes before the denomination of a token that came through *port* and *client*."""
    return f"{port}/{client}/"


def _protobuf_texts(value: bytes) -> tuple[str, ...]:
    """The five fields in the order of their numbers. Raises ``FieldInvalid``."""
    texts = dict.fromkeys(range(1, 6), "")
    try:
        for number, _, text in read_fields(value):
            if number not in texts or not isinstance(text, bytes):
                raise _bad("transfer", f"field {number} is unknown")
            texts[number] = text.decode()
    except (ProtoError, UnicodeDecodeError) as error:
        raise _bad("transfer", str(error)) from error
    return tuple(texts.values())


def _json_texts(value: bytes) -> tuple[str, ...]:
    """The five fields in the order of their numbers. Raises ``FieldInvalid``."""
    try:
        found = msgspec.json.decode(value, type=_Json)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _bad("transfer", str(error)) from error
    return found.denom, found.amount, found.sender, found.receiver, found.memo


def _checked(texts: tuple[str, ...]) -> TransferData:
    """The transfer of the five fields. Raises ``FieldInvalid``."""
    for name, text in zip(_FIELDS, texts, strict=True):
        if len(text) > MAX_TEXT:
            raise _bad(name, f"has over {MAX_TEXT} characters")
    denomination, amount, sender, receiver, memo = texts
    if _AMOUNT.fullmatch(amount) is None or int(amount) > MAX_AMOUNT:
        raise _bad("amount", "is not a decimal number from 1 to 2^256-1")
    if not sender:
        raise _bad("sender", "is empty")
    check_denomination(denomination)
    return TransferData(
        denomination=denomination, amount=int(amount), sender=sender, receiver=receiver, memo=memo
    )


def _bad(field: str, problem: str) -> FieldInvalid:
    return FieldInvalid(field=field, problem=problem)
