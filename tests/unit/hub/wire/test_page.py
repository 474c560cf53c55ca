from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.errors import FieldInvalid, PageTokenInvalid
from hub.wire.page import DEFAULT_SIZE, MAX_SIZE, Page


@given(st.text(max_size=100), st.text(min_size=1, max_size=200))
def test_a_token_says_where_its_own_list_goes_on(scope: str, entry: str) -> None:
    try:
        token = Page.parse(scope, 0, "").token_after(entry)
    except UnicodeEncodeError:
        return
    assert Page.parse(scope, 0, token).after == entry
    with pytest.raises(PageTokenInvalid):
        Page.parse(f"{scope}x", 0, token)


@given(st.text(max_size=60))
def test_a_token_that_nobody_issued_is_refused(text: str) -> None:
    token = Page.parse("peers", 0, "").token_after("hangzhou")
    if text not in {"", token}:
        with pytest.raises(PageTokenInvalid):
            Page.parse("peers", 0, text)


@pytest.mark.parametrize("change", ["=", "\n", " ", "A"])
def test_one_token_has_one_spelling(change: str) -> None:
    token = Page.parse("peers", 0, "").token_after("hangzhou")
    for other in (token + change, change + token, token[:-1]):
        with pytest.raises(PageTokenInvalid):
            Page.parse("peers", 0, other)
    with pytest.raises(PageTokenInvalid):
        Page.parse("peers", 0, "A" * 5000)


def test_a_page_has_a_bounded_size() -> None:
    assert Page.parse("peers", 0, "").size == DEFAULT_SIZE
    assert Page.parse("peers", 7, "").size == 7
    assert Page.parse("peers", 10**6, "").size == MAX_SIZE
    with pytest.raises(FieldInvalid):
        Page.parse("peers", -1, "")


def test_a_list_of_packets_goes_on_after_a_lane_and_a_number() -> None:
    assert Page("packets", 1, "").after_place() == ("", 0)
    assert Page("packets", 1, "a~b/17").after_place() == ("a~b", 17)
    for text in ("17", "a/x", "a/-1", "a/1.0", "a/" + "9" * 20, "a/\uff11", "a/"):
        with pytest.raises(PageTokenInvalid):
            Page("packets", 1, text).after_place()
