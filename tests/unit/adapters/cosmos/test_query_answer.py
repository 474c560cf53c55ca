from __future__ import annotations

import pytest

from adapters.cosmos.query_answer import Answer, page_request
from hub.core.codec.proto import bytes_field, message_field, varint_field
from hub.core.errors import ChainUnreachable
from hub.core.ids import ChainId


def answer(data: bytes) -> Answer:
    return Answer(ChainId("suzhou-1"), "balance", data)


def test_missing_fields_have_their_defaults() -> None:
    empty = answer(b"")
    assert (empty.number(1), empty.content(1), empty.text(1), empty.amount(1)) == (0, b"", "", 0)
    assert empty.messages(1) == []
    assert empty.message(1).number(2) == 0
    assert empty.next_key(2) == b""


def test_last_of_several_counts_and_unknown_fields_are_passed_over() -> None:
    found = answer(varint_field(1, 5) + varint_field(1, 6) + bytes_field(77, b"later"))
    assert found.number(1) == 6


def test_messages_keep_their_order() -> None:
    found = answer(b"".join([message_field(1, varint_field(2, n)) for n in (3, 1, 2)]))
    assert [one.number(2) for one in found.messages(1)] == [3, 1, 2]


def test_next_key_is_that_of_the_page_response() -> None:
    assert answer(message_field(2, bytes_field(1, b"key"))).next_key(2) == b"key"


@pytest.mark.parametrize("data", [b"\xff", b"\x00", b"\x0a\x05abc", b"\x10\x01\x08\x01", b"\x0b"])
def test_what_is_no_message_counts_as_no_answer(data: bytes) -> None:
    with pytest.raises(ChainUnreachable):
        answer(data)


def test_field_of_another_type_counts_as_no_answer() -> None:
    mixed = answer(varint_field(1, 5) + bytes_field(2, b"\xff"))
    for read in (mixed.content, mixed.text, mixed.amount, mixed.message, mixed.messages):
        with pytest.raises(ChainUnreachable):
            read(1)
    for read in (mixed.number, mixed.text, mixed.amount, mixed.message):
        with pytest.raises(ChainUnreachable):
            read(2)


def test_page_request_leaves_its_defaults_out() -> None:
    assert page_request(b"", 0) == b""
    assert page_request(b"k", 5, reverse=True) == b"\x0a\x01k\x18\x05\x28\x01"
