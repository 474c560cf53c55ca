"""What a city implements: one chain, as the session with the relayer needs it.

Everything else (the stream, resumption, batching, credits, retries, verdicts) is the SDK's. The
rules for an implementation:

- A method returns what the chain holds, or raises a ``HubError``. ``ChainUnreachable`` says that
  nothing is known; it is tried again. Any other error is told to the relayer as it is.
- What a header proves is the state that its root covers. On CometBFT chains the root of header H
  covers the state after block H - 1; an implementation reads and proves at that state, so that
  callers need one number alone.
- Methods may be called concurrently. None keeps the event loop busy for long.
- A chain's state is the only memory. After a restart the session asks for what the hub has not
  got, and the chain finds it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.sdk.execution import Execution, ExecutionResult
    from hub.core.client import Anchor, ConsensusState, Header
    from hub.core.height import Height
    from hub.core.ids import ChainId, ClientId
    from hub.core.ranges import RangeSet


@dataclass(frozen=True, slots=True)
class Head:
    """The newest header, and which clients have something new to show under its root."""

    height: Height
    active: frozenset[ClientId] | None
    """Own clients with packets sent or acknowledgements written since the height asked from; None
    where the chain does not know, and every lane is looked at."""


@dataclass(frozen=True, slots=True)
class Item:
    """A committed packet, or a written acknowledgement."""

    sequence: int
    content: bytes
    """Its canonical protobuf bytes."""


@dataclass(frozen=True, slots=True)
class KeyProof:
    """What stands at a key, and the proof of it."""

    value: bytes
    """Empty where nothing stands there."""
    proof: bytes
    """One whole proof, of presence or of absence."""


@dataclass(frozen=True, slots=True)
class BatchProof:
    """What stands at several keys, and the one proof batch of it."""

    values: tuple[bytes, ...]
    """In the order of the keys."""
    proof: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainClient:
    """A light client that lives on the chain, with proof of its state."""

    client: ClientId
    chain_id: str
    """The chain that it verifies."""
    proof_height: Height
    """The header whose root both proofs end at."""
    client_state: bytes
    """As stored."""
    client_state_proof: bytes
    counterparty: bytes
    """As stored; empty while none is registered."""
    counterparty_proof: bytes
    """Empty while none is registered."""
    trusted_heights: tuple[Height, ...]
    """Heights that it has consensus states of, the newest last; the last 64 are enough."""
    opening: str
    """What it was created for, if the chain or its adapter remembers."""
    pending_height: Height | None
    """The height of its anchor while it waits for that header; else None."""


class ChainAdapter(Protocol):
    """One city chain."""

    @property
    def chain_id(self) -> ChainId:
        """The id that the chain's headers carry."""
        ...

    @property
    def order_enforceable(self) -> bool:
        """Whether the chain's gateway can refuse every sequence but the next, and pass over one.

        It keeps that at ``next_sequence_receive_key``, and takes ``PassOver``.
        """
        ...

    @property
    def needs_anchor_header(self) -> bool:
        """Whether a client is created only together with the header that its anchor names.

        Else it waits for that header, pending.
        """
        ...

    async def head(self, after: Height | None) -> Head:
        """The newest header, as soon as it is above *after*; at once where *after* is None."""
        ...

    async def headers(self, numbers: Sequence[int]) -> tuple[Header, ...]:
        """The headers of these block numbers, at most 256, in the order asked for.

        Raises ``HeaderNotFound``.
        """
        ...

    async def packets(
        self, client: ClientId, wanted: RangeSet, limit: int, at: Height
    ) -> tuple[Item, ...]:
        """The first *limit* packets of *wanted* that stand committed under the header *at*.

        Sequences rise. A packet that was never sent, or whose commitment is gone, is left out.
        *wanted* may be open to the end of all sequences.
        """
        ...

    async def acknowledgements(
        self, client: ClientId, wanted: RangeSet, limit: int, at: Height
    ) -> tuple[Item, ...]:
        """The first *limit* acknowledgements of *wanted* that stand written under the header *at*.

        As ``packets``.
        """
        ...

    async def prove(self, keys: Sequence[bytes], at: Height) -> tuple[KeyProof, ...]:
        """What stands at each of *keys* (1 to 256, rising) under the header *at*, each with proof.

        Raises ``HeaderNotFound`` where that state is no longer kept.
        """
        ...

    async def prove_batch(self, keys: Sequence[bytes], at: Height) -> BatchProof:
        """As ``prove``, as one proof batch; every key must be present.

        Raises ``ProofNotFound`` where one is not.
        """
        ...

    async def clients(self, client: ClientId | None, chain_id: str) -> tuple[ChainClient, ...]:
        """The client of this id, or at most 64 that verify the chain *chain_id*.

        Proven under a header that stands already. Raises ``ClientNotFound`` for an id.
        """
        ...

    async def create_client(
        self, anchor: Anchor, state: ConsensusState | None, *, ordered: bool, opening: str
    ) -> ClientId:
        """A client of the chain that *anchor* names; the anchor is this operator's own.

        *state* is what the verified header that *anchor* names shows; None only where
        ``needs_anchor_header`` is false. Asked again with the same *opening* (not empty) it is the
        client that was created before. Returns once ``clients`` can prove it.
        """
        ...

    async def register_counterparty(
        self, client: ClientId, counterparty: ClientId, prefix: tuple[bytes, ...]
    ) -> None:
        """*client* is bound to *counterparty*, whose chain keeps its commitments under *prefix*.

        Bound to the same before is success. Returns once ``clients`` can prove it.
        """
        ...

    async def execute(self, execution: Execution) -> ExecutionResult:
        """What the chain made of *execution*, once it is final.

        The chain's own client verifies all of it. A sequence that had its effect before is
        ``already_done``, never an error. Calls begin in the order in which the relayer asked.
        """
        ...
