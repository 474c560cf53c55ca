"""The validator sets that headers name, each asked for once.

A set's hash proves it, so it may be remembered whoever served it.

Source: CometBFT 0.38 rpc/core/consensus.go, Validators.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from adapters.cosmos.rpc.answers import VALIDATORS
from adapters.cosmos.rpc.endpoint import Refusal
from adapters.cosmos.rpc.light_block import read_validators
from adapters.cosmos.rpc.status import lacking
from hub.core.errors import HeaderUnparseable, LimitExceeded
from hub.light_clients.cometbft.codec import MAX_VALIDATORS

if TYPE_CHECKING:
    from adapters.cosmos.rpc.answers import ValidatorAnswer
    from adapters.cosmos.rpc.endpoint import Endpoint
    from hub.core.ids import ChainId
    from hub.light_clients.cometbft.types import CometHeader

_PAGE: Final = 100
"""Validators of one answer; a node gives no more."""
_REMEMBERED: Final = 32


class ValidatorSets:
    """Sets of one chain by their hashes; the last used are remembered."""

    def __init__(self, chain_id: ChainId) -> None:
        self._chain_id = chain_id
        self._sets: OrderedDict[bytes, bytes] = OrderedDict()

    async def named_by(self, header: CometHeader, node: Endpoint) -> bytes:
        """Canonical bytes of the set that *header* names, which *node* is asked for if need be.

        Raises ``ValidatorSetMismatch``, ``HeaderUnparseable``, ``LimitExceeded``,
        ``HeaderNotFound`` or ``ChainUnreachable``.
        """
        expected = header.validators_hash
        known = self._sets.get(expected)
        if known is not None:
            self._sets.move_to_end(expected)
            return known
        data = read_validators(await self._entries(header.height, node), expected)
        self._sets[expected] = data
        if len(self._sets) > _REMEMBERED:
            self._sets.popitem(last=False)
        return data

    async def _entries(self, number: int, node: Endpoint) -> list[ValidatorAnswer]:
        """The validators of block *number*, from all pages."""
        entries: list[ValidatorAnswer] = []
        page = total = 1
        while len(entries) < total:
            params = {"height": f"{number}", "page": f"{page}", "per_page": f"{_PAGE}"}
            answer = await node.call(VALIDATORS, params)
            if isinstance(answer, Refusal):
                raise await lacking(node, self._chain_id, number, answer)
            if answer.total > MAX_VALIDATORS:
                raise LimitExceeded(what="validators", count=answer.total, limit=MAX_VALIDATORS)
            if not answer.validators:
                raise HeaderUnparseable(what="validators", problem=f"page {page} is empty")
            entries += answer.validators
            total, page = answer.total, page + 1
        return entries
