"""What a network's books say after a fault: the chains' ledgers, the adapters' logs, the registry.

Beside what ``LiveNetwork.judged`` looks at: an answer "accepted" was true when it was given. The
registry keeps when it accepted each packet, the adapter when it heard of it; a commit that was lost
after it was answered is made again later, and so the record is younger than the answer.

Source: reliability notes sections 7.3 ("0 loss") and 8.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from hub.cli.dev.layout import CHAINS
from hub.cli.dev.ledgers import judge
from hub.core.lane import LaneKey
from tests.faults.changes import connected

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from hub.cli.dev.ledgers import Books
    from tests.harness.network import LiveNetwork


_ACCEPTED: Final = """
    SELECT l.source_peer || '~' || l.source_client || '~' || l.destination_peer || '~'
            || l.destination_client AS lane,
        p.sequence, (extract(epoch FROM p.accepted_at) * 1000000)::bigint AS at
    FROM packets p JOIN lanes l USING (lane_id)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether everything is as it must be, and how much there was of it."""

    sent: int = 0
    executed: int = 0
    refunded: int = 0
    lost: int = 0
    doubled: int = 0
    broken: int = 0
    """Invariants of the registry, supplies, and answers that were not true."""
    problems: tuple[str, ...] = field(default=())

    @property
    def holds(self) -> bool:
        """Nothing is wrong."""
        return not (self.lost or self.doubled or self.broken or self.problems)


async def reached(live: LiveNetwork, *, dates_answers: bool = True) -> Verdict:
    """What the books say once everything has ended, or does not end.

    Where clocks were stepped, answers cannot be dated.
    """
    problems: list[str] = []
    try:
        await live.ended()
    except AssertionError as error:
        problems.append(str(error))
    books = await live._books()
    said = answers(live) if dates_answers else {}
    untrue = await _untrue(live, said)
    broken = await live.broken()
    problems += live.complaints()
    problems += [f"exception: {one}" for one in await live._exceptions()]
    sent = sum(live.sent.values())
    return of_books(books, sent=sent, broken=[*broken, *untrue], problems=problems)


def of_books(
    books: Books, *, sent: int, broken: Iterable[str] = (), problems: Iterable[str] = ()
) -> Verdict:
    """The verdict on *books*, when *sent* packets were sent and the registry breaks *broken*."""
    findings = judge(books)
    ended = findings.executed + findings.refunded + findings.waiting
    broken, problems = list(broken), list(problems)
    if findings.sent != sent:
        broken.append(f"{sent} sent, {findings.sent} in the ledgers")
    if findings.sent != ended:
        broken.append(f"{findings.sent} sent, {ended} executed, refunded or held")
    rest = len(findings.violations) - findings.lost - findings.doubled
    return Verdict(
        sent=findings.sent,
        executed=findings.executed,
        refunded=findings.refunded,
        lost=findings.lost,
        doubled=findings.doubled,
        broken=rest + len(broken),
        problems=(*findings.violations, *broken, *problems),
    )


def answers(live: LiveNetwork) -> dict[str, dict[int, int]]:
    """By lane and sequence: when (us) the source's adapter heard that it is accepted."""
    found: dict[str, dict[int, int]] = {}
    for peer in map(str, CHAINS):
        for lane, heard in read_answers(live._own_directory(peer) / "accepted.jsonl").items():
            found.setdefault(lane, {}).update(heard)
    return found


def read_answers(file: Path) -> dict[str, dict[int, int]]:
    """Those of one adapter's log."""
    found: dict[str, dict[int, int]] = {}
    if not file.exists():
        return found
    for line in file.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry["side"] == "SOURCE":
            lane = found.setdefault(entry["lane"].removeprefix("lanes/"), {})
            for first, last in entry["accepted"]:
                lane |= dict.fromkeys(range(first, last + 1), entry["at"] // 1000)
    return found


async def _untrue(live: LiveNetwork, said: Mapping[str, Mapping[int, int]]) -> list[str]:
    connection: Any = await connected(live)
    try:
        rows = await connection.fetch(_ACCEPTED)
    finally:
        await connection.close()
    recorded: dict[str, dict[int, int]] = {str(LaneKey.parse(lane)): {} for lane in said}
    for row in rows:
        recorded.setdefault(row["lane"], {})[row["sequence"]] = row["at"]
    return untrue(said, recorded)


def untrue(
    said: Mapping[str, Mapping[int, int]], recorded: Mapping[str, Mapping[int, int]]
) -> list[str]:
    """Answers "accepted" that the registry did not have at that moment, by lane.

    Both say when, in microseconds.
    """
    found = []
    for lane, heard in said.items():
        held = recorded.get(lane, {})
        for sequence, at in heard.items():
            if sequence not in held:
                found.append(f"{lane} {sequence}: answered accepted, and not recorded")
            elif held[sequence] > at:
                late = held[sequence] - at
                found.append(f"{lane} {sequence}: recorded {late} us after it was answered")
    return found
