from __future__ import annotations

import pytest

from adapters.conformance.demand import Failed, demand, proven
from hub.core.errors import HeaderNotFound


def test_what_holds_is_no_failure() -> None:
    demand([1], "one", "none")
    with pytest.raises(Failed) as caught:
        demand([], "one", [])
    assert (caught.value.expected, caught.value.came) == ("one", "[]")
    assert str(caught.value) == "expected one; came []"


def test_what_does_not_verify_is_the_adapters_failure() -> None:
    with pytest.raises(Failed) as caught, proven("a header"):
        raise HeaderNotFound(client="hangzhou-1", height=7)
    assert caught.value.expected == "a header"
    assert caught.value.came.startswith("HEADER_NOT_FOUND: ")


def test_a_bug_is_nobodys_failure() -> None:
    with pytest.raises(ZeroDivisionError), proven("a header"):
        raise ZeroDivisionError
