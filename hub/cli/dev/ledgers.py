"""Judge a development network by its chains' own ledgers, not by what the hub says of itself.

Supply is conserved, every transfer is executed or refunded and never both, nothing has its effect
twice, and whatever an adapter was told is accepted has ended. Packets of a stopped lane (a frozen
client) may wait; they must still be whole.

Source: reliability notes section 8, I1 to I5 and I9, asked of the chains.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from ydhub.simchain.v1 import simchain_service_pb2 as pb

    from hub.core.lane import LaneKey

_EFFECTS = ("sent", "executed", "acknowledged", "refunded", "timed_out")
_PORTS = ("transfer", "archive")
"""Applications of the development network's chains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What is compared: the ledgers, the lanes, and the adapters' own logs."""

    ledgers: Mapping[str, pb.GetLedgerResponse]
    """By peer."""
    lanes: tuple[LaneKey, ...]
    """Both directions of every pair."""
    stopped: frozenset[str]
    """Peers whose client is frozen: packets of their lanes may wait."""
    accepted: Mapping[LaneKey, frozenset[int]]
    """Sequences that the source's adapter was told are accepted, by its own log."""
    genesis: Mapping[str, Mapping[str, int]]
    """By peer: units of each own token at the beginning."""
    amount: int
    """Units that every transfer carried."""


@dataclass(slots=True)
class Findings:
    """What the books show."""

    sent: int = 0
    executed: int = 0
    acknowledged: int = 0
    refunded: int = 0
    waiting: int = 0
    """Sent over a stopped lane, neither executed nor refunded."""
    accepted: int = 0
    lost: int = 0
    """Sent, and never ended."""
    doubled: int = 0
    """Effects that were twice, or executed and refunded."""
    violations: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _LaneBooks:
    source: dict[int, pb.PacketEffects] = field(default_factory=dict)
    destination: dict[int, pb.PacketEffects] = field(default_factory=dict)


def judge(books: Books) -> Findings:
    """What the books show; ``violations`` is empty where everything holds."""
    findings = Findings()
    lanes = _sorted(books, findings)
    in_flight: defaultdict[LaneKey, int] = defaultdict(int)
    for key, entry in lanes.items():
        in_flight[key] = _judge_lane(books, key, entry, findings)
    _judge_supply(books, in_flight, findings)
    return findings


def read_accepted(file: Path) -> dict[str, set[int]]:
    """By lane: the sequences that an adapter's log says were accepted at its chain, the source."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    if not file.exists():
        return found
    for line in file.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry["side"] == "SOURCE":
            for first, last in entry["accepted"]:
                found[entry["lane"].removeprefix("lanes/")].update(range(first, last + 1))
    return found


def _sorted(books: Books, findings: Findings) -> dict[LaneKey, _LaneBooks]:
    """The effects by lane; an effect twice, or of no lane, is a violation."""
    lanes = {key: _LaneBooks() for key in books.lanes}
    by_source = {(key.source_peer, key.source_client): key for key in books.lanes}
    by_destination = {(key.destination_peer, key.destination_client): key for key in books.lanes}
    for peer, ledger in books.ledgers.items():
        for effect in ledger.effects:
            name = f"{peer} {effect.client} {effect.sequence}"
            for kind in _EFFECTS:
                if getattr(effect, kind) > 1:
                    findings.doubled += 1
                    findings.violations.append(f"{name}: {kind} {getattr(effect, kind)} times")
            ends = by_source if effect.is_source else by_destination
            key = next((k for end, k in ends.items() if end == (peer, effect.client)), None)
            if key is None:
                findings.violations.append(f"{name}: an effect of no lane")
            elif effect.is_source:
                lanes[key].source[effect.sequence] = effect
            else:
                lanes[key].destination[effect.sequence] = effect
    return lanes


def _judge_lane(books: Books, key: LaneKey, entry: _LaneBooks, findings: Findings) -> int:
    """How many packets of the lane are neither executed nor refunded."""
    is_stopped = bool({key.source_peer, key.destination_peer} & books.stopped)
    in_flight = 0
    for sequence, effect in entry.source.items():
        name = f"{key} {sequence}"
        received = entry.destination.get(sequence)
        executed = received is not None and received.executed > 0
        findings.sent += 1
        findings.executed += executed
        findings.acknowledged += effect.acknowledged > 0
        findings.refunded += effect.refunded > 0
        if executed and effect.refunded:
            findings.doubled += 1
            findings.violations.append(f"{name}: executed and refunded")
        if not executed and not effect.refunded:
            in_flight += 1
        ended = effect.acknowledged or effect.timed_out
        if not ended and is_stopped:
            findings.waiting += 1
        elif not ended:
            findings.lost += 1
            findings.violations.append(f"{name}: sent, and never ended")
    for sequence in entry.destination.keys() - entry.source.keys():
        findings.violations.append(f"{key} {sequence}: executed, and never sent")
    accepted = books.accepted.get(key, frozenset())
    findings.accepted += len(accepted)
    for sequence in accepted - entry.source.keys():
        findings.violations.append(f"{key} {sequence}: accepted, and never sent")
    return in_flight


def _judge_supply(books: Books, in_flight: Mapping[LaneKey, int], findings: Findings) -> None:
    """Own tokens are as many as at the beginning; escrow backs vouchers and what is under way."""
    for peer, tokens in books.genesis.items():
        for token, units in tokens.items():
            supply = _supply(books.ledgers[peer], token)
            if supply != units:
                findings.violations.append(f"{peer} {token}: supply {supply}, began with {units}")
    for key in books.lanes:
        source, destination = books.ledgers[key.source_peer], books.ledgers[key.destination_peer]
        for token in books.genesis[key.source_peer]:
            escrow = sum(
                one.amount
                for one in source.balances
                if one.denomination == token
                and one.account in {f"escrow:{port}/{key.source_client}" for port in _PORTS}
            )
            vouchers = sum(
                _supply(destination, f"{port}/{key.destination_client}/{token}") for port in _PORTS
            )
            under_way = in_flight[key] * books.amount
            if escrow != vouchers + under_way:
                findings.violations.append(
                    f"{key} {token}: escrow {escrow}, vouchers {vouchers}, under way {under_way}"
                )


def _supply(ledger: pb.GetLedgerResponse, token: str) -> int:
    supplies: Iterable[pb.Balance] = ledger.supplies
    return sum(one.amount for one in supplies if one.denomination == token)
