"""Statements of the packet path look up by key, whatever the planner believes of empty tables.

A plan is kept for as long as a connection lives. One made while a table was empty must not read a
lane, or all lanes, from the beginning once there are millions of rows.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from hub.registry import exceptions, header_writes, outcomes, packets, statements
from hub.registry.facts import until_full

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date

    from hub.registry.facts import UnderProofQuery
    from hub.registry.registry import PostgresRegistry

    Statement = str | Callable[[date], str]


def _bounded(statement: Callable[[date], str]) -> Statement:
    return lambda today: until_full(statement(today), "sequence")


def _of_frame(query: UnderProofQuery) -> Statement:
    return query._query.recent


KEPT = [
    (packets._READ.recent, "packets", ["lane_id =", "sequence >=", "sequence <"]),
    (packets._READ.others, "packets", ["lane_id =", "sequence >=", "sequence <"]),
    (packets._PROOFS.recent, "proofs", ["proof_id ="]),
    (_of_frame(packets._UNDER_PROOF), "packets", ["lane_id =", "sequence >=", "sequence <"]),
    (_of_frame(outcomes._UNDER_PROOF), "outcomes", ["lane_id =", "outcome_index >="]),
    (exceptions._AMONG, "exceptions", ["lane_id =", "sequence >=", "sequence <"]),
    (outcomes._READ.recent, "outcomes", ["lane_id =", "outcome_index >=", "outcome_index <"]),
    (outcomes._FIND.recent, "outcomes", ["lane_id =", "sequence >=", "sequence <"]),
    (_bounded(packets._READ.recent), "packets", ["lane_id =", "sequence >=", "sequence <"]),
    (statements.ACCEPT, "lane_sides", ["lane_id =", "side ="]),
    (statements.RECORD, "lane_sides", ["lane_id =", "side ="]),
    (statements.DELIVERED, "lane_sides", ["lane_id ="]),
    (statements.COMPLETED, "lane_sides", ["lane_id ="]),
    (statements.MOVE_TIMEOUTS, "lane_sides", ["lane_id =", "side ="]),
    (statements.MOVE_TIMEOUTS, "timeout_batches", ["lane_id =", "first ="]),
    (statements.DROP_ENDED_TIMEOUTS, "lane_sides", ["lane_id ="]),
    (statements.DROP_ENDED_TIMEOUTS, "timeout_batches", ["lane_id ="]),
    (packets._EARLIEST, "timeout_batches", ["lane_id ="]),
    (statements.RECORD, "exceptions", ["lane_id =", "sequence >=", "sequence <"]),
    (header_writes._STORE, "leases", ["peer ="]),
    (header_writes._STORE, "headers", ["peer =", "height ="]),
]


@pytest.mark.parametrize(("statement", "table", "keys"), KEPT)
async def test_a_plan_made_on_empty_tables_looks_up_by_key(
    postgres: PostgresRegistry, statement: Statement, table: str, keys: list[str]
) -> None:
    text = statement if isinstance(statement, str) else statement(postgres.database.today)
    scans = [scan for scan in await plan(postgres, text) if scan["table"].startswith(table)]
    assert scans
    for scan in scans:
        assert [key for key in keys if key not in scan["condition"]] == [], scan


async def plan(postgres: PostgresRegistry, statement: str) -> list[dict[str, str]]:
    """Each table that *statement* scans when it is planned once for all parameters."""
    count = max(int(number) for number in re.findall(r"\$(\d+)", statement))
    nulls = ", ".join(["NULL"] * count)
    async with postgres.database.line() as line, line.transaction():
        await line.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await line.execute(f"PREPARE planned AS {statement}")
        shown = await line.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE planned ({nulls})")
        await line.execute("DEALLOCATE planned")
    return list(_scans(shown[0]["Plan"]))


def _scans(node: dict[str, Any]) -> Iterator[dict[str, str]]:
    if "Relation Name" in node and "Scan" in node["Node Type"]:
        yield {"table": node["Relation Name"], "condition": _condition(node)}
    for child in node.get("Plans", []):
        yield from _scans(child)


def _condition(node: dict[str, Any]) -> str:
    """What an index is asked for; a bitmap's heap says it once more."""
    return str(node.get("Index Cond") or node.get("Recheck Cond") or "")
