from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from ydhub.simchain.v1 import simchain_service_pb2 as pb

from hub.cli.dev.ledgers import Books, judge, read_accepted
from hub.core.lane import LaneKey

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

THERE = LaneKey.parse("hangzhou~07-tendermint-0~suzhou~07-tendermint-0")
BACK = THERE.reverse
ESCROW = "escrow:transfer/07-tendermint-0"
VOUCHER = "transfer/07-tendermint-0/tea"


def source(sequence: int, **counts: int) -> pb.PacketEffects:
    return pb.PacketEffects(
        client="07-tendermint-0", sequence=sequence, is_source=True, sent=1, **counts
    )


def executed(sequence: int) -> pb.PacketEffects:
    return pb.PacketEffects(client="07-tendermint-0", sequence=sequence, executed=1)


def books() -> Books:
    """Packets 1 and 2 are executed and acknowledged, 3 is refunded; two units are abroad."""
    hangzhou = pb.GetLedgerResponse(
        balances=[
            pb.Balance(account="alice", denomination="tea", amount=98),
            pb.Balance(account=ESCROW, denomination="tea", amount=2),
        ],
        supplies=[pb.Balance(denomination="tea", amount=100)],
        effects=[
            source(1, acknowledged=1),
            source(2, acknowledged=1),
            source(3, refunded=1, timed_out=1),
        ],
    )
    suzhou = pb.GetLedgerResponse(
        supplies=[
            pb.Balance(denomination=VOUCHER, amount=2),
            pb.Balance(denomination="silk", amount=50),
        ],
        effects=[executed(1), executed(2)],
    )
    return Books(
        ledgers={"hangzhou": hangzhou, "suzhou": suzhou},
        lanes=(THERE, BACK),
        stopped=frozenset(),
        accepted={THERE: frozenset({1, 2, 3})},
        genesis={"hangzhou": {"tea": 100}, "suzhou": {"silk": 50}},
        amount=1,
    )


def test_whole_books_show_no_violation() -> None:
    findings = judge(books())
    assert findings.violations == []
    assert (findings.sent, findings.executed, findings.refunded) == (3, 2, 1)
    assert (findings.acknowledged, findings.waiting, findings.accepted) == (2, 0, 3)


def _twice(found: Books) -> Books:
    found.ledgers["suzhou"].effects[0].executed = 2
    return found


def _both(found: Books) -> Books:
    found.ledgers["suzhou"].effects.append(executed(3))
    return found


def _never_ended(found: Books) -> Books:
    found.ledgers["hangzhou"].effects[0].acknowledged = 0
    return found


def _never_sent(found: Books) -> Books:
    found.ledgers["suzhou"].effects.append(executed(9))
    return found


def _accepted_never_sent(found: Books) -> Books:
    return replace(found, accepted={THERE: frozenset({1, 7})})


def _minted(found: Books) -> Books:
    found.ledgers["hangzhou"].supplies[0].amount += 1
    return found


def _unbacked(found: Books) -> Books:
    found.ledgers["suzhou"].supplies[0].amount += 1
    return found


def _lost(found: Books) -> Books:
    found.ledgers["hangzhou"].effects[2].refunded = 0
    return found


def _of_no_lane(found: Books) -> Books:
    stray = pb.PacketEffects(client="07-tendermint-5", sequence=1, executed=1)
    found.ledgers["suzhou"].effects.append(stray)
    return found


@pytest.mark.parametrize(
    ("broken", "lost", "doubled"),
    [(_twice, 0, 1), (_both, 0, 1), (_never_ended, 1, 0), (_minted, 0, 0)],
)
def test_what_is_lost_and_what_is_doubled_is_counted(
    broken: Callable[[Books], Books], lost: int, doubled: int
) -> None:
    findings = judge(broken(books()))
    assert (findings.lost, findings.doubled) == (lost, doubled)
    assert findings.violations


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (_twice, "executed 2 times"),
        (_both, "executed and refunded"),
        (_never_ended, "sent, and never ended"),
        (_never_sent, "executed, and never sent"),
        (_accepted_never_sent, "7: accepted, and never sent"),
        (_minted, "supply 101, began with 100"),
        (_unbacked, "escrow 2, vouchers 3"),
        (_lost, "escrow 2, vouchers 2, under way 1"),
        (_of_no_lane, "an effect of no lane"),
    ],
)
def test_each_way_of_breaking_the_books_is_seen(
    broken: Callable[[Books], Books], said: str
) -> None:
    findings = judge(broken(deepcopy(books())))
    assert any(said in violation for violation in findings.violations), findings.violations


def test_a_packet_over_a_stopped_lane_may_wait_and_still_counts_as_under_way() -> None:
    found = books()
    found.ledgers["hangzhou"].effects.append(source(4))
    found.ledgers["hangzhou"].balances[1].amount += 1
    assert judge(found).violations != []
    findings = judge(replace(found, stopped=frozenset({"suzhou"})))
    assert findings.violations == []
    assert findings.waiting == 1


def test_an_error_acknowledgement_ends_a_packet_by_refund() -> None:
    found = books()
    found.ledgers["hangzhou"].effects[2].timed_out = 0
    found.ledgers["hangzhou"].effects[2].acknowledged = 1
    assert judge(found).violations == []


def test_the_adapters_log_is_read_by_lane_and_for_sources_alone(tmp_path: Path) -> None:
    log = tmp_path / "accepted.jsonl"
    lines = [
        {"lane": str(THERE), "side": "SOURCE", "accepted": [[1, 3], [7, 7]]},
        {"lane": str(THERE), "side": "SOURCE", "accepted": [[4, 4]]},
        {"lane": str(BACK), "side": "DESTINATION", "accepted": [[1, 9]]},
    ]
    log.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert read_accepted(log) == {str(THERE): {1, 2, 3, 4, 7}}
    assert read_accepted(tmp_path / "none.jsonl") == {}
