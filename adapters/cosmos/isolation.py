"""Which message of a refused transaction is to blame, found by simulation.

Source: cosmos-sdk baseapp (a transaction is executed whole or not at all).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.cosmos.tx.submitter import Refusal
from hub.core.errors import HubError, TransactionLost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.cosmos.packet_messages import PacketMessage
    from adapters.cosmos.tx.codes import Subject
    from adapters.cosmos.tx.messages import Message
    from adapters.cosmos.tx.signer import Signer
    from adapters.cosmos.tx.submitter import Submitter

MAX_CULPRITS: Final = 8
"""So many of one transaction are looked for; where there are more, all are refused."""


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
    ) -> list[tuple[int, HubError]]:
        """Which of *packets* the chain refuses, each with why; sequence 0 means all.

        Empty where all would pass now. Raises ``ChainUnreachable``.
        """
        if len(packets) + len(updates) == 1 and not refusal.is_simulated:
            return [(packets[0].sequence if packets else 0, refusal.error)]
        if updates and not await self._submitter.passes(signer, updates):
            error = await self._why(signer, updates, about)
            return [(0, error)] if error else []
        culprits: list[PacketMessage] = []
        await self._search(signer, updates, packets, culprits)
        found: list[tuple[int, HubError]] = []
        for packet in culprits[:MAX_CULPRITS]:
            error = await self._why(signer, [*updates, packet.message], about)
            if error is not None:
                found.append((packet.sequence, error))
        if len(culprits) > MAX_CULPRITS and found:
            return [(0, found[0][1])]
        return found

    async def _search(
        self,
        signer: Signer,
        updates: Sequence[Message],
        packets: Sequence[PacketMessage],
        culprits: list[PacketMessage],
    ) -> None:
        """Those of *packets* that do not pass, by halving; not many more than are of use."""
        if not packets or len(culprits) > MAX_CULPRITS:
            return
        messages = [*updates, *[packet.message for packet in packets]]
        if await self._submitter.passes(signer, messages):
            return
        if len(packets) == 1:
            culprits.append(packets[0])
            return
        half = len(packets) // 2
        await self._search(signer, updates, packets[:half], culprits)
        await self._search(signer, updates, packets[half:], culprits)

    async def _why(
        self, signer: Signer, messages: Sequence[Message], about: Subject
    ) -> HubError | None:
        """Why the chain refuses *messages*, in its own code; None where it does not after all.

        A simulation tells no code, a transaction does.
        """
        [sent] = await self._submitter.send(signer, [messages], about=about, unmeasured=True)
        if isinstance(sent, Refusal):
            return sent.error
        try:
            result = await self._submitter.outcome(sent, about)
        except TransactionLost as error:
            return error
        return result.error if isinstance(result, Refusal) else None
