"""Proof batches, and the leaves that they are said to show."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from hub.core.errors import Reason
from hub.light_clients.proofs.batch import verify_batch
from hub.light_clients.proofs.batch_codec import (
    MAX_BATCH_BYTES,
    MAX_LEAVES,
    Path,
    Step,
    StoreStep,
    encode_batch,
)
from tests.fuzz.engine import ACCEPTED, SAME, Target
from tests.fuzz.operators import Operator, bytewise
from tests.fuzz.targets.proof_samples import KEYS, PREFIX, ROOT, VALUES, WORLD, absent_beside

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

Leaves = tuple[tuple[bytes, bytes], ...]

REASONS: Final = frozenset(
    {
        Reason.LIMIT_EXCEEDED,
        Reason.PROOF_BATCH_INVALID,
        Reason.PROOF_SPEC_VIOLATED,
        Reason.PROOF_UNPARSEABLE,
        Reason.ROOT_MISMATCH,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A batch, and what it is said to show."""

    leaves: Leaves
    batch: bytes
    prefix: tuple[bytes, ...] = PREFIX
    root: bytes = ROOT


@dataclass(frozen=True, slots=True)
class Parts:
    """What a batch is made of."""

    store: tuple[StoreStep, ...]
    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """A valid claim, and its batch in parts."""

    claim: Claim
    parts: Parts


def target() -> Target:
    """Batches, as a relayer gets them from an adapter."""
    operators = (
        *[Operator(name, _structural(make)) for name, make in _STRUCTURAL.items()],
        Operator("question", _question),
        Operator("batch of other leaves", _of_other_leaves),
        *bytewise(_pick),
    )
    return Target("batches", operators, judge, REASONS)


def judge(claim: Claim) -> str:
    """The verifier's answer."""
    verify_batch(claim.root, claim.prefix, claim.leaves, claim.batch)
    return SAME if any(claim == sample.claim for sample in samples()) else ACCEPTED


@cache
def samples() -> tuple[Sample, ...]:
    """Valid claims: neighbours, keys far apart, one key, many keys."""
    choices = [
        KEYS[40:56],
        KEYS[::50],
        KEYS[:2],
        KEYS[-1:],
        KEYS[199:203],
        KEYS[10:90:7],
        KEYS[100:164],
    ]
    found: list[Sample] = []
    for keys in choices:
        store, paths = WORLD.batch_parts("ibc", [PREFIX[1] + key for key in keys])
        leaves = tuple((key, VALUES[key]) for key in keys)
        claim = Claim(leaves=leaves, batch=encode_batch(store, paths))
        found.append(Sample(claim, Parts(store, paths)))
    return tuple(found)


def _other_digest(digest: bytes, rng: Random) -> bytes:
    at = rng.randrange(32)
    flipped = digest[:at] + bytes((digest[at] ^ 1 << rng.randrange(8),)) + digest[at + 1 :]
    step = rng.choice([step for path in _any_parts(rng).paths for step in path.steps] or [None])
    return rng.choice((flipped, rng.randbytes(32), bytes(32), step.sibling if step else flipped))


def _other_number(number: int, rng: Random) -> int:
    return rng.choice((number + 1, max(number - 1, 0), 0, 2**20, 2**31, 2**62, 2**63 - 1))


def _any_parts(rng: Random) -> Parts:
    return rng.choice(samples()).parts


def _at_step(change: Callable[[Step, Random], Step]) -> Callable[[Parts, Random], Parts]:
    def make(parts: Parts, rng: Random) -> Parts:
        at = rng.choice([at for at, path in enumerate(parts.paths) if path.steps])
        steps = list(parts.paths[at].steps)
        place = rng.randrange(len(steps))
        steps[place] = change(steps[place], rng)
        return _with_path(parts, at, replace(parts.paths[at], steps=tuple(steps)))

    return make


def _with_path(parts: Parts, at: int, path: Path) -> Parts:
    return replace(parts, paths=(*parts.paths[:at], path, *parts.paths[at + 1 :]))


def _height(step: Step, rng: Random) -> Step:
    heights = (step.height + 1, step.height - 1, 0, 1, 127, rng.randrange(128))
    return replace(step, height=rng.choice(heights) & 127)


def _numbers(step: Step, rng: Random) -> Step:
    if rng.random() < 0.5:
        return replace(step, size=_other_number(step.size, rng))
    return replace(step, version=_other_number(step.version, rng))


def _leaf_version(parts: Parts, rng: Random) -> Parts:
    at = rng.randrange(len(parts.paths))
    path = parts.paths[at]
    return _with_path(parts, at, replace(path, version=_other_number(path.version, rng)))


def _slot(parts: Parts, rng: Random) -> Parts:
    if len(parts.paths) == 1:
        return _paths_listed(parts, rng)
    at = rng.randrange(1, len(parts.paths))
    join = parts.paths[at].join
    heights = [step.height for path in parts.paths for step in path.steps]
    other = rng.choice(((join + 1) & 255, join - 1, 0, 127, 255, rng.choice(heights)))
    return _with_path(parts, at, replace(parts.paths[at], join=other))


def _steps_listed(parts: Parts, rng: Random) -> Parts:
    at = rng.randrange(len(parts.paths))
    steps = list(parts.paths[at].steps)
    other = rng.choice([step for path in _any_parts(rng).paths for step in path.steps])
    place, to = rng.randrange(len(steps) or 1), rng.randrange(len(steps) or 1)
    kind = rng.randrange(6)
    if kind == 0 or not steps:
        steps.insert(place, other)
    elif kind == 1:
        del steps[place]
    elif kind == 2:
        steps.insert(to, steps[place])
    elif kind == 3:
        steps[place], steps[to] = steps[to], steps[place]
    elif kind == 4:
        steps = steps[place:] if rng.random() < 0.5 else steps[:place]
    else:
        steps[place] = other
    return _with_path(parts, at, replace(parts.paths[at], steps=tuple(steps)))


def _paths_listed(parts: Parts, rng: Random) -> Parts:
    """A path dropped, doubled, moved, or another batch's put in; the count may be wrong then."""
    paths = list(parts.paths)
    at, to = rng.randrange(len(paths)), rng.randrange(len(paths))
    other = rng.choice(_any_parts(rng).paths)
    kind = rng.randrange(5)
    if kind == 0:
        paths.insert(at, other)
    elif kind == 1 and len(paths) > 1:
        del paths[at]
    elif kind == 2:
        paths[at], paths[to] = paths[to], paths[at]
    elif kind == 3:
        paths[at] = paths[to]
    else:
        paths[at] = other
    return replace(parts, paths=tuple(paths))


def _nodes_moved_between_paths(parts: Parts, rng: Random) -> Parts:
    """A node given to the next path: the arrays stay as long as they were."""
    paths = list(parts.paths)
    full = [at for at, path in enumerate(paths) if path.steps]
    at, to = rng.choice(full), rng.randrange(len(paths))
    steps = paths[at].steps
    paths[at] = replace(paths[at], steps=steps[:-1])
    paths[to] = replace(
        paths[to], steps=rng.choice(((steps[-1], *paths[to].steps), (*paths[to].steps, steps[-1])))
    )
    return replace(parts, paths=tuple(paths))


def _store(parts: Parts, rng: Random) -> Parts:
    steps = list(parts.store)
    at = rng.randrange(len(steps))
    kind = rng.randrange(5)
    if kind == 0:
        steps[at] = replace(steps[at], right=not steps[at].right)
    elif kind == 1:
        steps[at] = replace(steps[at], sibling=_other_digest(steps[at].sibling, rng))
    elif kind == 2:
        del steps[at]
    elif kind == 3:
        steps.insert(at, steps[rng.randrange(len(steps))])
    else:
        steps.reverse()
    return replace(parts, store=tuple(steps))


_STRUCTURAL: dict[str, Callable[[Parts, Random], Parts]] = {
    "height of a node": _at_step(_height),
    "size or version of a node": _at_step(_numbers),
    "sibling of a node": _at_step(
        lambda step, rng: replace(step, sibling=_other_digest(step.sibling, rng))
    ),
    "side of a node": _at_step(lambda step, _: replace(step, right=not step.right)),
    "version of a leaf": _leaf_version,
    "slot": _slot,
    "nodes dropped, doubled, moved, added": _steps_listed,
    "node given to another path": _nodes_moved_between_paths,
    "paths dropped, doubled, moved, added": _paths_listed,
    "store": _store,
}


def _structural(make: Callable[[Parts, Random], Parts]) -> Callable[[Random], Claim]:
    def operator(rng: Random) -> Claim:
        sample = rng.choice(samples())
        parts = make(sample.parts, rng)
        return replace(sample.claim, batch=encode_batch(parts.store, parts.paths))

    return operator


def _of_other_leaves(rng: Random) -> Claim:
    """A valid batch on the leaves of another, or the head of one on the tail of another."""
    claim, other = rng.choice(samples()).claim, rng.choice(samples()).claim
    if rng.random() < 0.5:
        return replace(claim, batch=other.batch)
    mine, theirs = claim.batch, other.batch
    return replace(
        claim, batch=mine[: rng.randrange(len(mine))] + theirs[rng.randrange(len(theirs)) :]
    )


def _question(rng: Random) -> Claim:
    """A valid batch, asked for something else."""
    claim = rng.choice(samples()).claim
    at = rng.randrange(len(claim.leaves))
    key, value = claim.leaves[at]
    others: list[dict[str, Any]] = [
        {"leaves": _put(claim.leaves, at, (key, rng.choice((rng.randbytes(32), b"", value[:-1]))))},
        {"leaves": _put(claim.leaves, at, (absent_beside(key), value))},
        {"leaves": _put(claim.leaves, at, (rng.choice((b"", key[:-1], *KEYS)), value))},
        {"leaves": claim.leaves[:at] + claim.leaves[at + 1 :]},
        {"leaves": (*claim.leaves[:at], claim.leaves[at], *claim.leaves[at:])},
        {"leaves": claim.leaves[::-1] if len(claim.leaves) > 1 else ()},
        {"leaves": claim.leaves * (MAX_LEAVES // len(claim.leaves) + 1)},
        {"prefix": rng.choice(((b"bank", PREFIX[1]), (b"ibc", b""), (b"ibc",), (b"", PREFIX[1])))},
        {"root": rng.choice((_other_digest(ROOT, rng), ROOT[:31], b""))},
    ]
    if rng.random() < 0.01:
        return replace(claim, batch=claim.batch + bytes(MAX_BATCH_BYTES))
    return replace(claim, **rng.choice(others))


def _put(leaves: Leaves, at: int, leaf: tuple[bytes, bytes]) -> Leaves:
    return (*leaves[:at], leaf, *leaves[at + 1 :])


def _pick(rng: Random) -> tuple[bytes, Callable[[bytes], Claim]]:
    claim = rng.choice(samples()).claim
    return claim.batch, lambda data: replace(claim, batch=data)
