from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from adapters.conformance.check import Grade
from adapters.sdk.execution import Execution, ExecutionResult, PassOver, Receive
from adapters.simchain.adapter import SimchainAdapter
from hub.core.errors import FieldInvalid
from hub.core.ranges import EMPTY, RangeSet
from tests.harness.examined import caught, examined

if TYPE_CHECKING:
    from pathlib import Path

    from hub.core.client import Anchor, ConsensusState
    from hub.core.ids import ClientId

ITEMS = ("order_enforced", "passed_over")


class Unordered(SimchainAdapter):
    """Makes pairs without order, whatever it is asked for."""

    async def create_client(
        self, anchor: Anchor, state: ConsensusState | None, *, ordered: bool, opening: str
    ) -> ClientId:
        return await super().create_client(anchor, state, ordered=False, opening=opening)


class Keepless(SimchainAdapter):
    """Its gateway keeps no order, and the adapter says so."""

    order_enforceable = False

    async def create_client(
        self, anchor: Anchor, state: ConsensusState | None, *, ordered: bool, opening: str
    ) -> ClientId:
        if ordered:
            raise FieldInvalid(field="order", problem="is not enforced")
        return await super().create_client(anchor, state, ordered=False, opening=opening)


class Boaster(SimchainAdapter):
    """Says that all is done that it is asked to receive, or to pass over, in a pair with order."""

    boasts_of: type[PassOver | Receive] = Receive

    async def execute(self, execution: Execution) -> ExecutionResult:
        result = await super().execute(execution)
        if result.refused and isinstance(execution.action, self.boasts_of):
            return ExecutionResult(executed=execution.sequences)
        return result


async def test_who_keeps_no_order_and_refuses_to_be_asked_for_it_passes(tmp_path: Path) -> None:
    async with examined(tmp_path, adapter=Keepless) as honest:
        results = await honest.results(*ITEMS)
    assert {name: (one.grade, one.came) for name, one in results.items()} == dict.fromkeys(
        ITEMS, (Grade.PASSED, "")
    )


async def test_a_pair_that_is_asked_to_be_ordered_and_is_not_is_caught(tmp_path: Path) -> None:
    found = await caught(tmp_path, "order_enforced", adapter=Unordered)
    assert "ordered" in found.expected


async def test_a_pair_that_claims_order_without_keeping_it_is_caught(tmp_path: Path) -> None:
    class Careless(Unordered):
        order_enforceable = False

    await caught(tmp_path, "order_enforced", adapter=Careless)


async def test_a_later_sequence_that_is_received_first_is_caught(tmp_path: Path) -> None:
    found = await caught(tmp_path, "order_enforced", adapter=Boaster)
    assert "executed" in found.came


async def test_what_still_stands_and_is_passed_over_is_caught(tmp_path: Path) -> None:
    class Hasty(Boaster):
        boasts_of = PassOver

    found = await caught(tmp_path, "passed_over", adapter=Hasty)
    assert "executed" in found.came


async def test_what_is_passed_over_twice_is_caught(tmp_path: Path) -> None:
    class Forgetful(SimchainAdapter):
        async def execute(self, execution: Execution) -> ExecutionResult:
            result = await super().execute(execution)
            if not isinstance(execution.action, PassOver):
                return result
            both = result.executed | result.already_done
            return replace(result, executed=both, already_done=EMPTY)

    found = await caught(tmp_path, "passed_over", adapter=Forgetful)
    assert "already done" in found.expected


async def test_a_sequence_that_is_never_passed_over_is_caught(tmp_path: Path) -> None:
    class Idle(SimchainAdapter):
        async def execute(self, execution: Execution) -> ExecutionResult:
            if not isinstance(execution.action, PassOver):
                return await super().execute(execution)
            result = await super().execute(replace(execution, action=None))
            if result.refused:
                return result
            return ExecutionResult(executed=RangeSet.of([execution.action.gone[0].sequence]))

    await caught(tmp_path, "passed_over", adapter=Idle)
