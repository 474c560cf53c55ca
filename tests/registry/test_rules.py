"""What must not stand in the database cannot: one valid world, many single changes, each refused.

The changes stand in rules.sql, each below the name of the constraint or trigger that refuses it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from hub.core.errors import Reason
from hub.core.lane import LaneState
from tests.harness.registry import ADMIN, SUZHOU, add_headers, header, key_of, opened

if TYPE_CHECKING:
    from hub.registry.registry import PostgresRegistry

ALLOWED = "allowed"
EVIDENCE = (Reason.CONSENSUS_STATE_DIFFERS, b"first", b"second")


def changes() -> list[tuple[str, str]]:
    """(rule, statement) of rules.sql."""
    _, *parts = (Path(__file__).parent / "rules.sql").read_text().split("\n\n")
    made = [part.strip().partition("\n") for part in parts]
    return [(comment.removeprefix("-- "), statement) for comment, _, statement in made]


async def world(postgres: PostgresRegistry) -> None:
    """A lane with a packet that ended, one that waits, and one that is denied."""
    lanes = await opened(postgres)
    await add_headers(postgres, lanes.destination, [header(5)])
    await lanes.accept(1, 2, 3, denied=[2])
    await lanes.settle(1)
    await postgres.clients.freeze(SUZHOU, "two truths", EVIDENCE, ADMIN)


async def refusal(postgres: PostgresRegistry, statement: str) -> str:
    """The rule that refuses *statement*, which is undone; ``ALLOWED`` if none does."""
    async with postgres.database.line() as line:
        await line.execute("BEGIN")
        try:
            await line.execute(statement)
        except asyncpg.RestrictViolationError as error:
            return str(error)
        except asyncpg.IntegrityConstraintViolationError as error:
            return str(error.constraint_name)
        else:
            return ALLOWED
        finally:
            await line.execute("ROLLBACK")


async def test_every_rule_refuses_what_breaks_it_and_nothing_else(
    postgres: PostgresRegistry,
) -> None:
    await world(postgres)
    wrong: list[tuple[str, str, str]] = []
    for rule, statement in changes():
        found = await refusal(postgres, statement)
        if rule not in found:
            wrong.append((rule, statement, found))
    assert wrong == []


async def test_every_rule_of_the_schema_is_met(postgres: PostgresRegistry) -> None:
    met = {rule.split(": ")[-1] for rule, _ in changes()}
    async with postgres.database.line() as line:
        rules = await line.fetch(
            "SELECT DISTINCT tgname::text AS name FROM pg_trigger WHERE NOT tgisinternal"
            " UNION SELECT conname::text FROM pg_constraint"
            " WHERE contype = 'c' AND connamespace = 'public'::regnamespace"
        )
    assert {row["name"] for row in rules} - met == set()


async def test_a_closed_lane_stays_closed(postgres: PostgresRegistry) -> None:
    await opened(postgres)
    close = "UPDATE lanes SET state = 'CLOSED', revision = revision + 1"
    async with postgres.database.line() as line:
        await line.execute(close)
    assert "state_moves" in await refusal(postgres, close.replace("CLOSED", "OPEN"))
    assert (await postgres.lanes.get(key_of())).state is LaneState.CLOSED
