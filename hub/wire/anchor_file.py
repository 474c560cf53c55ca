"""Anchors in operators' own files: the one YAML form, for hub, adapters and ``proof verify``.

::

    name: hangzhou                 # the peer; may be left out where the file's use names it
    display_name: Hangzhou
    anchor:
      client_type: 07-tendermint
      chain_id: hangzhou-1
      height: 1-120                # revision, number
      header_hash: 64 hex digits
      next_validators_hash: 64 hex digits
      prefix: [ibc, ""]            # the store's name, then the key prefix; 0x... for other bytes
      trust_level: 1/3
      trusting_period: 336h
      max_clock_drift: 10s

Every scalar is read as text, so nothing is guessed (``no`` is no boolean, a hash no number). An
unknown, missing or repeated key is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from hub.core.client import Anchor, Fraction, TrustOptions, check_anchor
from hub.core.errors import FieldInvalid, HubError
from hub.core.height import Height
from hub.core.ids import parse_chain_id, parse_peer_id
from hub.wire.duration import format_duration, parse_duration

if TYPE_CHECKING:
    import os

    from hub.core.ids import PeerId

MAX_BYTES = 64 * 1024
MAX_DISPLAY_NAME = 128
"""Characters."""

_HEX = "0x"
_DIGITS = re.compile(r"0|[1-9][0-9]{0,18}")
_ANCHOR_KEYS = (
    "client_type",
    "chain_id",
    "height",
    "header_hash",
    "next_validators_hash",
    "prefix",
    "trust_level",
    "trusting_period",
    "max_clock_drift",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerFile:
    """What an operator's file says of a peer."""

    peer: PeerId | None
    display_name: str
    anchor: Anchor


def read(path: str | os.PathLike[str]) -> tuple[PeerId | None, Anchor]:
    """The peer that the file names, if it does, and its anchor, checked.

    Raises ``FieldInvalid`` naming file and key, ``AnchorInvalid``, ``IdentifierInvalid`` or
    ``HeightInvalid``.
    """
    found = read_peer(path)
    return found.peer, found.anchor


def read_peer(path: str | os.PathLike[str]) -> PeerFile:
    """All that the file says. Raises as ``read``."""
    file = Path(path)
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise FieldInvalid(field=str(path), problem=problem) from error
    try:
        return parse_peer(content)
    except HubError as error:
        error.add_note(f"in {path}")
        raise


def parse_peer(content: bytes) -> PeerFile:
    """All that *content* says. Raises as ``read``."""
    if len(content) > MAX_BYTES:
        raise FieldInvalid(field="file", problem=f"is over {MAX_BYTES} bytes")
    try:
        document = yaml.load(content, Loader=_TextLoader)  # noqa: S506 - builds text only
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        where = getattr(error, "problem_mark", None)
        place = f" at line {where.line + 1}" if where is not None else ""
        raise FieldInvalid(field="file", problem=f"is not YAML{place}") from error
    fields = _mapping(document, "file", required=("anchor",), optional=("name", "display_name"))
    display_name = _text(fields.get("display_name", ""), "display_name")
    if len(display_name) > MAX_DISPLAY_NAME:
        raise FieldInvalid(field="display_name", problem=f"is over {MAX_DISPLAY_NAME} characters")
    peer = parse_peer_id(_text(fields["name"], "name")) if "name" in fields else None
    anchor = _anchor(_mapping(fields["anchor"], "anchor", required=_ANCHOR_KEYS))
    return PeerFile(peer=peer, display_name=display_name, anchor=anchor)


def write(
    path: str | os.PathLike[str], anchor: Anchor, *, peer: PeerId | None, display_name: str = ""
) -> None:
    """The file holds *anchor*, and who it is of; it replaces what stood there as a whole."""
    file = Path(path)
    fresh = file.with_name(f".{file.name}.new")
    fresh.write_text(render(anchor, peer=peer, display_name=display_name), encoding="utf-8")
    fresh.replace(file)


def render(anchor: Anchor, *, peer: PeerId | None, display_name: str = "") -> str:
    """The text of an anchor file."""
    document: dict[str, object] = {}
    if peer is not None:
        document["name"] = str(peer)
    if display_name:
        document["display_name"] = display_name
    document["anchor"] = describe(anchor)
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def describe(anchor: Anchor) -> dict[str, object]:
    """*anchor* as the file's keys and texts, for files and for people to compare."""
    level = anchor.options.trust_level
    return {
        "client_type": anchor.client_type,
        "chain_id": str(anchor.chain_id),
        "height": str(anchor.height),
        "header_hash": anchor.header_hash.hex(),
        "next_validators_hash": anchor.next_validators_hash.hex(),
        "prefix": [_element_text(element) for element in anchor.prefix],
        "trust_level": f"{level.numerator}/{level.denominator}",
        "trusting_period": format_duration(anchor.options.trusting_period),
        "max_clock_drift": format_duration(anchor.options.max_clock_drift),
    }


class _TextLoader(yaml.BaseLoader):
    """Builds text, lists and mappings alone, and refuses a repeated key and any reference."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("a reference")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - the library's signature
        keys = [self.construct_object(key) for key, _ in node.value]
        if not all(isinstance(key, str) for key in keys) or len(set(keys)) != len(keys):
            raise yaml.MarkedYAMLError(problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


def _anchor(fields: dict[str, object]) -> Anchor:
    prefix = fields["prefix"]
    if not isinstance(prefix, list):
        raise FieldInvalid(field="anchor.prefix", problem="is not a list")
    anchor = Anchor(
        client_type=_anchor_text(fields, "client_type"),
        chain_id=parse_chain_id(_anchor_text(fields, "chain_id")),
        height=_height(_anchor_text(fields, "height")),
        header_hash=_hex(_anchor_text(fields, "header_hash"), "anchor.header_hash"),
        next_validators_hash=_hex(
            _anchor_text(fields, "next_validators_hash"), "anchor.next_validators_hash"
        ),
        options=TrustOptions(
            trust_level=_fraction(_anchor_text(fields, "trust_level")),
            trusting_period=parse_duration(
                _anchor_text(fields, "trusting_period"), "anchor.trusting_period"
            ),
            max_clock_drift=parse_duration(
                _anchor_text(fields, "max_clock_drift"), "anchor.max_clock_drift"
            ),
        ),
        prefix=tuple([_element(element, at) for at, element in enumerate(prefix)]),
    )
    check_anchor(anchor)
    return anchor


def _mapping(
    value: object, field: str, *, required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> dict[str, object]:
    if not isinstance(value, dict):
        raise FieldInvalid(field=field, problem="is not a mapping")
    at = "" if field == "file" else f"{field}."
    for key in required:
        if key not in value:
            raise FieldInvalid(field=f"{at}{key}", problem="is missing")
    for key in value:
        if key not in required and key not in optional:
            raise FieldInvalid(field=f"{at}{key[:40]}", problem="is unknown")
    return value


def _text(value: object, field: str) -> str:
    if not isinstance(value, str):
        raise FieldInvalid(field=field, problem="is not text")
    return value


def _anchor_text(fields: dict[str, object], key: str) -> str:
    return _text(fields[key], f"anchor.{key}")


def _hex(text: str, field: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError as error:
        raise FieldInvalid(field=field, problem="is not hexadecimal") from error
    if found.hex() != text.lower():
        raise FieldInvalid(field=field, problem="is not hexadecimal")
    return found


def _height(text: str) -> Height:
    revision, _, number = text.rpartition("-")
    if not _DIGITS.fullmatch(revision or "0") or not _DIGITS.fullmatch(number):
        raise FieldInvalid(field="anchor.height", problem="is not {revision}-{number}")
    return Height.parse(int(revision or 0), int(number))


def _fraction(text: str) -> Fraction:
    numerator, _, denominator = text.partition("/")
    if not _DIGITS.fullmatch(numerator) or not _DIGITS.fullmatch(denominator):
        raise FieldInvalid(field="anchor.trust_level", problem="is not {numerator}/{denominator}")
    return Fraction(int(numerator), int(denominator))


def _element(value: object, at: int) -> bytes:
    text = _text(value, f"anchor.prefix[{at}]")
    if text.startswith(_HEX):
        return _hex(text.removeprefix(_HEX), f"anchor.prefix[{at}]")
    return text.encode()


def _element_text(element: bytes) -> str:
    text = element.decode("ascii", "replace")
    if text.isprintable() and text.isascii() and not text.startswith(_HEX):
        return text
    return _HEX + element.hex()
