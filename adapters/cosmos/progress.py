"""What became of an execution so far, sequence by sequence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from adapters.sdk.execution import Refused
from hub.core.errors import SequenceOutOfOrder, TimeoutElapsed

if TYPE_CHECKING:
    from collections.abc import Collection

    from adapters.cosmos.batches import Batch
    from adapters.cosmos.packet_messages import PacketMessage
    from adapters.cosmos.tx.codes import Subject
    from adapters.cosmos.tx.messages import UpdateClient
    from hub.core.errors import HubError


@dataclass(slots=True, kw_only=True)
class Progress:
    """An execution under way."""

    updates: tuple[UpdateClient, ...]
    """Still to be made."""
    waiting: list[PacketMessage]
    about: Subject
    most: int
    """Packets of one transaction."""
    is_freezing: bool = False
    in_order: bool = False
    """Nothing after a packet that is refused is executed, unless its timeout has passed."""
    are_apart: bool = False
    """Updates go into transactions of their own."""
    is_early: bool = False
    """Somebody's transaction that does the same waits for a block."""
    executed: set[int] = field(default_factory=set)
    already_done: set[int] = field(default_factory=set)
    refused: list[Refused] = field(default_factory=list)
    is_over: bool = False
    """All of it has its end."""
    is_stopped: bool = False
    """No more is tried; what waits is told as it is."""
    last: HubError | None = None
    """Why the last transaction did not do what it should."""

    @property
    def left(self) -> int:
        """How much still waits."""
        return 0 if self.is_over else len(self.updates) + len(self.waiting)

    def end(self, sequences: Collection[int]) -> None:
        """These have their end."""
        self.waiting = [packet for packet in self.waiting if packet.sequence not in sequences]

    def updated(self, batch: Batch) -> None:
        """The updates of *batch* are made."""
        made = {id(update) for update in batch.updates}
        self.updates = tuple([update for update in self.updates if id(update) not in made])

    def refuse(self, sequence: int, error: HubError) -> None:
        """*sequence*, if it waits, is refused; 0 ends all of it."""
        if not sequence:
            self.refused.append(Refused(0, error))
            self.is_over = True
            return
        if all(packet.sequence != sequence for packet in self.waiting):
            return
        self.refused.append(Refused(sequence, error))
        self.end({sequence})
        if self.in_order and not isinstance(error, TimeoutElapsed):
            after = [packet.sequence for packet in self.waiting if packet.sequence > sequence]
            for one in after:
                passed = SequenceOutOfOrder(got=one, expected=sequence)
                self.refused.append(Refused(one, passed))
            self.end(after)

    def stop(self, error: HubError) -> None:
        """Nothing more is tried, for *error*."""
        self.last = error
        self.is_stopped = True
