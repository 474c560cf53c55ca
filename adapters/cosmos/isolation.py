"""Which message of a refused transaction is to blame, found by simulation.

A simulation executes what a block would and tells the same codes, so nothing is paid for it.

Source: cosmos-sdk baseapp/abci.go (``app/simulate``; whole or not at all).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.cosmos.packet_messages import PacketMessage
    from adapters.cosmos.tx.codes import Subject
    from adapters.cosmos.tx.messages import Message
    from adapters.cosmos.tx.records import Refusal
    from adapters.cosmos.tx.signer import Signer
    from adapters.cosmos.tx.submitter import Submitter
    from hub.core.errors import HubError

MAX_CULPRITS: Final = 8
"""So many of one transaction are looked for; where there are more, all are refused."""


@dataclass(frozen=True, slots=True)
class _Search:
    signer: Signer
    updates: Sequence[Message]
    about: Subject
    most: int
    """Culprits; one more ends the search."""
    culprits: list[tuple[int, HubError]]


class Isolation:
    """The search for what a chain refuses."""

    def __init__(self, submitter: Submitter) -> None:
        """Simulations by *submitter*."""
        self._submitter = submitter

    async def run(
        self,
        signer: Signer,
        updates: Sequence[Message],
        packets: Sequence[PacketMessage],
        refusal: Refusal,
        about: Subject,
        *,
        first_only: bool = False,
    ) -> list[tuple[int, HubError]]:
        """Which of *packets* the chain refuses, each with why; sequence 0 means all.

        *first_only*: no more than the first is looked for. Empty where all would pass now. Raises
        ``HubError`` where the chain does not tell.
        """
        if len(packets) + len(updates) == 1:
            return [(packets[0].sequence if packets else 0, refusal.error)]
        if updates:
            judged = await self._submitter.judge(signer, updates, about)
            if judged is not None:
                return [(0, judged.error)]
        culprits: list[tuple[int, HubError]] = []
        most = 0 if first_only else MAX_CULPRITS
        await self._search(_Search(signer, updates, about, most, culprits), packets)
        if first_only or len(culprits) <= MAX_CULPRITS:
            return culprits
        return [(0, culprits[0][1])]

    async def _search(self, search: _Search, packets: Sequence[PacketMessage]) -> None:
        """Those of *packets* that do not pass, by halving; not many more than are of use."""
        if not packets or len(search.culprits) > search.most:
            return
        messages = [*search.updates, *[packet.message for packet in packets]]
        judged = await self._submitter.judge(search.signer, messages, search.about)
        if judged is None:
            return
        if len(packets) == 1:
            search.culprits.append((packets[0].sequence, judged.error))
            return
        half = len(packets) // 2
        await self._search(search, packets[:half])
        await self._search(search, packets[half:])
