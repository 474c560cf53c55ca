from __future__ import annotations

from pathlib import Path

import pytest

from adapters.conformance import items
from adapters.conformance.check import Grade
from adapters.conformance.items import ITEMS, chosen
from hub.core.errors import FieldInvalid
from tests.harness.examined import examined


async def test_an_honest_adapter_passes_every_item(tmp_path: Path) -> None:
    async with examined(tmp_path) as honest:
        results = await honest.results()
    assert [(r.check.name, r.expected, r.came) for r in results.values() if r.came] == []
    assert {result.grade for result in results.values()} == {Grade.PASSED}
    assert len(results) == len(ITEMS) >= 40


async def test_without_users_only_what_needs_them_is_not_examinable(tmp_path: Path) -> None:
    names = ("headers_shown", "create_client", "update_client", "receive", "packets_shown")
    async with examined(tmp_path, has_users=False) as alone:
        results = await alone.results(*names)
    grades = [results[name].grade for name in names]
    assert grades == [Grade.PASSED] * 3 + [Grade.NOT_EXAMINABLE] * 2
    assert "--sender" in results["receive"].came


def test_every_item_asks_one_thing_and_names_its_source() -> None:
    assert len({item.name for item in ITEMS}) == len(ITEMS)
    for item in ITEMS:
        assert item.asks.endswith("."), item.name
        assert item.source, item.name


def test_chosen_items_keep_the_order_of_the_exam() -> None:
    assert [item.name for item in chosen(["misbehaviour", "hello"])] == ["hello", "misbehaviour"]
    assert chosen([]) == ITEMS
    with pytest.raises(FieldInvalid):
        chosen(["hallo"])


def test_the_manual_shows_every_item_as_it_is() -> None:
    page = Path(items.__file__).with_name("README.md").read_text(encoding="utf-8")
    rows = [f"| `{item.name}` | {item.asks} |" for item in ITEMS]
    assert [line for line in page.splitlines() if line.startswith("| `")] == rows
