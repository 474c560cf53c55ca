from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.conformance.check import check

if TYPE_CHECKING:
    from adapters.conformance.exam import Exam


async def sings(_: Exam) -> None:
    """The adapter sings.

    More of it is nobody's business.
    """


def test_an_item_has_its_functions_name_and_first_line() -> None:
    item = check("a hymn book")(sings)
    assert (item.name, item.asks, item.source) == ("sings", "The adapter sings.", "a hymn book")
    assert item.run is sings
