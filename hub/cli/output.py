"""How results are printed: a table for people, or canonical proto JSON for programs.

Results go to stdout, and nothing else does; progress and failures go to stderr.

Source: protobuf JSON mapping; no colour where NO_COLOR is set or stdout is no terminal.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from google.protobuf.timestamp_pb2 import Timestamp

T = TypeVar("T", bound=Message)

_WIDE = 100_000
"""Characters: what no terminal reads is never cut."""


class Output(StrEnum):
    """How to print."""

    TABLE = "table"
    JSON = "json"


def show_list(
    output: Output, name: str, messages: Sequence[T], columns: Mapping[str, Callable[[T], object]]
) -> None:
    """Prints *messages*, in *columns* by title; as JSON, one object with them under *name*."""
    if output is Output.JSON:
        print_json({name: [as_dict(message) for message in messages]})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in columns:
        table.add_column(title, overflow="fold")
    for message in messages:
        table.add_row(*[Text(str(cell(message))) for cell in columns.values()])
    print_table(table)


def show_one(output: Output, message: Message, lines: Iterable[tuple[str, object]]) -> None:
    """Prints *message*; as a table, the *lines* of (title, value) that are not empty."""
    if output is Output.JSON:
        print_json(as_dict(message))
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for title, value in lines:
        if value is not None and value != "":
            table.add_row(title, Text(str(value)))
    print_table(table)


def print_json(value: object) -> None:
    """Prints *value* as indented JSON."""
    sys.stdout.write(json_text(value))


def json_text(value: object) -> str:
    """*value* as indented JSON, a line's end behind it."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def as_dict(message: Message) -> dict[str, Any]:
    """*message* in canonical proto JSON, every field that cannot be absent with its value."""
    return MessageToDict(message, always_print_fields_with_no_presence=True)


def moment(at: Timestamp) -> str:
    """*at* for people, in whole seconds, UTC; empty where it is not set."""
    if not at.seconds:
        return ""
    return f"{datetime.fromtimestamp(at.seconds, tz=UTC):%Y-%m-%dT%H:%M:%SZ}"


def word(enum: Any, number: int, prefix: str) -> str:
    """The name of an enum's value without its *prefix*; the number of one that is newer than us."""
    value = enum.DESCRIPTOR.values_by_number.get(number)
    return value.name.removeprefix(prefix) if value is not None else str(number)


def print_table(table: Table) -> None:
    """Prints *table*; nothing is cut or padded where no terminal reads it."""
    width = None if sys.stdout.isatty() else _WIDE
    console = Console(file=sys.stdout, width=width, highlight=False)
    with console.capture() as capture:
        console.print(table)
    sys.stdout.write("".join([f"{line.rstrip()}\n" for line in capture.get().splitlines()]))
