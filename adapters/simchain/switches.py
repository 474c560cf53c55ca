"""What a chain does badly for a while, on demand: it withholds, stands still, reorders, refuses.

Nothing here is a lie, so nothing has to be refused; whoever relays must end right all the same. The
switches are the process's own: started again, the chain behaves.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING, Final

from adapters.simchain.misbehave import Misbehaviour
from hub.core.errors import FieldInvalid
from hub.core.time import SECOND, Duration, Timestamp

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from adapters.sdk.clock import Clock
    from adapters.simchain.messages import Transaction
    from hub.core.ids import ClientId

LASTING: Final = frozenset(
    {Misbehaviour.WITHHOLD, Misbehaviour.STALL, Misbehaviour.REORDER, Misbehaviour.REFUSE}
)
"""The kinds that last a while, instead of being committed once."""
OF_CHAIN: Final = frozenset({Misbehaviour.STALL, Misbehaviour.REORDER})
OF_ADAPTER: Final = LASTING - {Misbehaviour.STALL}
"""Whose they are where chain and adapter are two processes; reordering has a part in both."""
MAX_DURATION: Final = Duration(600 * SECOND)


class Switches:
    """The switches of one chain, all off at first."""

    def __init__(self, clock: Clock, kinds: Collection[Misbehaviour] = LASTING) -> None:
        """Those of *kinds*; they go off by *clock*'s monotonic time."""
        self._clock = clock
        self._kinds = kinds
        self._until: dict[tuple[Misbehaviour, ClientId | None], Timestamp] = {}

    def turn_on(self, kind: Misbehaviour, client: ClientId | None, duration: Duration) -> None:
        """*kind* is on for *duration* (ns) from now; 0 turns it off.

        *client* is whose packets are withheld; None means those of every client. Raises
        ``FieldInvalid``.
        """
        if kind not in LASTING or not 0 <= duration <= MAX_DURATION:
            problem = f"is {duration} ns of {kind}; a kind that lasts takes 0 to {MAX_DURATION}"
            raise FieldInvalid(field="duration", problem=problem)
        if kind not in self._kinds:
            problem = f"is {kind}, which the other process of this city must be asked for"
            raise FieldInvalid(field="kind", problem=problem)
        key = (kind, client if kind is Misbehaviour.WITHHOLD else None)
        self._until[key] = Timestamp(self._clock.monotonic() + duration)

    @property
    def is_stalled(self) -> bool:
        """Whether no block is made."""
        return self._is_on(Misbehaviour.STALL, None)

    @property
    def is_reordering(self) -> bool:
        """Whether transactions are taken, and items shown, the newest first."""
        return self._is_on(Misbehaviour.REORDER, None)

    @property
    def is_refusing(self) -> bool:
        """Whether packets of others are refused for good."""
        return self._is_on(Misbehaviour.REFUSE, None)

    @property
    def is_withholding(self) -> bool:
        """Whether packets of any client are withheld."""
        kinds = {key for key in self._until if key[0] is Misbehaviour.WITHHOLD}
        return any(self._is_on(*key) for key in kinds)

    def withholds(self, client: ClientId) -> bool:
        """Whether packets that *client* sent are not shown."""
        kind = Misbehaviour.WITHHOLD
        return self._is_on(kind, client) or self._is_on(kind, None)

    def _is_on(self, kind: Misbehaviour, client: ClientId | None) -> bool:
        until = self._until.get((kind, client))
        return until is not None and self._clock.monotonic() < until


def newest_first(
    waiting: Sequence[tuple[bytes, Transaction]],
) -> list[tuple[bytes, Transaction]]:
    """*waiting* from its end; transactions that one account has counted stay in their order."""
    counted: defaultdict[str, deque[tuple[bytes, Transaction]]] = defaultdict(deque)
    for entry in waiting:
        if entry[1].nonce:
            counted[entry[1].signer].append(entry)
    return [
        counted[entry[1].signer].popleft() if entry[1].nonce else entry
        for entry in reversed(waiting)
    ]
