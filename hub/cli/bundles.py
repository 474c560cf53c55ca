"""Files that are verified offline, and what judges them: bundles, your own anchors, a time."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeVar

import click
from google.protobuf.json_format import Parse, ParseError

from hub.cli.output import as_dict, json_text
from hub.core.errors import FieldInvalid
from hub.core.time import SECOND, Timestamp
from hub.wire import anchor_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from google.protobuf.message import Message

    from hub.core.client import Anchor
    from hub.core.ids import PeerId

M = TypeVar("M", bound="Message")

MAX_FILE_BYTES: Final = 64 * 1024 * 1024

AS_OF = click.option(
    "--as-of",
    metavar="TIME",
    help="Judge trust as of this time, as 2026-11-25T12:00:00Z; else as of now.",
)


def read_message(file: Path, empty: M, kind: str) -> M:
    """*empty*, filled with what *file* holds, or stdin for ``-``. Raises ``FieldInvalid``."""
    try:
        if str(file) == "-":
            content = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
        else:
            with file.open("rb") as stream:
                content = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise FieldInvalid(field=str(file), problem=problem) from error
    if len(content) > MAX_FILE_BYTES:
        raise FieldInvalid(field=str(file), problem=f"is over {MAX_FILE_BYTES} bytes")
    try:
        return Parse(content, empty)
    except (ParseError, ValueError, RecursionError) as error:
        raise FieldInvalid(field=str(file), problem=f"is no {kind}") from error


def write_message(file: Path, message: Message) -> None:
    """*file* holds *message* as JSON. Raises ``FieldInvalid``."""
    try:
        file.write_text(json_text(as_dict(message)), encoding="utf-8")
    except OSError as error:
        problem = f"cannot be written: {error.strerror}"
        raise FieldInvalid(field=str(file), problem=problem) from error


def read_anchors(files: Iterable[Path]) -> Mapping[PeerId, Anchor]:
    """Anchors by peer. Raises ``FieldInvalid`` for one without a peer's name, or one too many."""
    anchors: dict[PeerId, Anchor] = {}
    for file in files:
        peer, anchor = anchor_file.read(file)
        if peer is None:
            raise FieldInvalid(field=f"{file}: name", problem="is missing")
        if peer in anchors:
            raise FieldInvalid(field=f"{file}: name", problem=f"is {peer} once more")
        anchors[peer] = anchor
    return anchors


def moment(text: str) -> Timestamp:
    """*text* in ISO 8601 with its zone. Raises ``FieldInvalid``."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise FieldInvalid(field="--as-of", problem="is not a time") from error
    if at.tzinfo is None:
        raise FieldInvalid(field="--as-of", problem="has no zone; write Z for UTC")
    return Timestamp(int(at.timestamp()) * SECOND)
