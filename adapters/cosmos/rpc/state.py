"""Questions to the application about its state, with and without proof.

A state that a node has not, or no longer, shows in three ways: a refusal without a code of its own;
an answer to a store's key that says nothing but a log; or no proof. None of them is told by its
text. What settles it is whether the node can prove anything at all out of that state.

Source: CometBFT 0.38 rpc/core/abci.go; Cosmos SDK 0.53 baseapp/abci.go (CreateQueryContext,
handleQueryStore), store/rootmulti/store.go and store/iavl/store.go (Query).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.cosmos.rpc.answers import ABCI_QUERY
from adapters.cosmos.rpc.endpoint import Refusal
from adapters.cosmos.rpc.records import Proven
from hub.core.errors import HeaderNotFound, ProofUnparseable, RecordCorrupt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.cosmos.rpc.answers import ProofOp, QueryBody
    from adapters.cosmos.rpc.endpoint import Endpoint
    from hub.core.ids import ChainId

_OPERATIONS: Final = ("ics23:iavl", "ics23:simple")
_PROBE: Final = ("store/ibc/key", b"\x00")
"""Whatever stands there, presence or absence can be proven of a state that is kept."""


async def query_all(
    node: Endpoint, chain_id: ChainId, path: str, datas: Sequence[bytes], at: int
) -> tuple[QueryBody, ...]:
    """What the application answers to each of *datas*, out of state *at*; 0 is the newest.

    Raises ``HeaderNotFound``, ``ChainUnreachable`` or ``RecordCorrupt``. What the application
    refuses is returned.
    """
    answers = await _ask(node, path, datas, at, is_proven=False)
    if at:
        for answer in answers:
            says_nothing = not answer.code and not answer.value and bool(answer.log)
            if says_nothing or (answer.code and not await _is_kept(node, at)):
                raise HeaderNotFound(client=chain_id, height=at)
            if not answer.code and answer.height != at:
                raise _other_state(path, chain_id, answer.height, at)
    return answers


async def prove(
    node: Endpoint, chain_id: ChainId, store: str, keys: Sequence[bytes], at: int
) -> tuple[Proven, ...]:
    """What stands at each of *keys* of *store* in state *at*, with proof.

    Raises ``HeaderNotFound``, ``ChainUnreachable``, ``RecordCorrupt`` or ``ProofUnparseable``.
    """
    path = f"store/{store}/key"
    answers = await _ask(node, path, keys, at, is_proven=True)
    found: list[Proven] = []
    for key, answer in zip(keys, answers, strict=True):
        operations = _operations(answer)
        if answer.code or not operations:
            if await _is_kept(node, at):
                raise node.unreachable(f"proves nothing: {answer.codespace}/{answer.code}")
            raise HeaderNotFound(client=chain_id, height=at)
        if answer.height != at:
            raise _other_state(path, chain_id, answer.height, at)
        if answer.key != key:
            raise _other_state(path, chain_id, (answer.key or b"").hex(), key.hex())
        if tuple([one.type for one in operations]) != _OPERATIONS:
            problem = f"is of {', '.join([one.type[:32] for one in operations[:4]])}"
            raise ProofUnparseable(what="proof of a node", problem=problem)
        found.append(Proven(answer.value or b"", operations[0].data, operations[1].data))
    return tuple(found)


async def _ask(
    node: Endpoint, path: str, datas: Sequence[bytes], at: int, *, is_proven: bool
) -> tuple[QueryBody, ...]:
    asked = [
        {"path": path, "data": data.hex(), "height": f"{at}", "prove": is_proven} for data in datas
    ]
    found: list[QueryBody] = []
    for answer in await node.calls(ABCI_QUERY, asked):
        if isinstance(answer, Refusal):
            raise node.unreachable(answer.text)
        found.append(answer.response)
    return tuple(found)


async def _is_kept(node: Endpoint, at: int) -> bool:
    """Whether *node* can prove anything out of state *at*."""
    path, data = _PROBE
    (answer,) = await _ask(node, path, (data,), at, is_proven=True)
    return not answer.code and bool(_operations(answer))


def _operations(answer: QueryBody) -> tuple[ProofOp, ...]:
    return (answer.proof_ops.ops or ()) if answer.proof_ops else ()


def _other_state(path: str, chain_id: ChainId, got: object, expected: object) -> RecordCorrupt:
    what = f"answer to {path} of {chain_id}"
    return RecordCorrupt(what=what, stored=f"{got}", computed=f"{expected}")
