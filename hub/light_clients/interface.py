"""What every chain family's verifier offers, in one shape.

All functions are total: for any bytes they return, or raise one ``HubError``; nothing else escapes.
Work is bounded before the first signature. None reads a clock: ``now`` is an argument.

Source: ibc-go modules/core/exported/client.go, LightClientModule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.client import Anchor, ConsensusState, Header
    from hub.core.errors import NotEnoughTrust
    from hub.core.time import Timestamp


@dataclass(frozen=True, slots=True)
class Verified:
    """The header is proven; this is what is kept of it."""

    state: ConsensusState


@dataclass(frozen=True, slots=True)
class NeedsBisection:
    """The header may be true, but the trusted set did not sign enough of it: go half way first."""

    shortfall: NotEnoughTrust


Verdict = Verified | NeedsBisection


@dataclass(frozen=True, slots=True)
class Included:
    """A proof shows that the value is at the key."""


@dataclass(frozen=True, slots=True)
class Excluded:
    """A proof shows that nothing is at the key."""


class LightClient(Protocol):
    """The verifier of one chain family."""

    client_type: str

    def read_header(self, header: Header) -> ConsensusState:
        """What *header* claims, with every hash recomputed and the set matched, no trust implied.

        The set's bytes must hash to what the header names. Raises ``Malformed`` or
        ``VerificationFailed``.
        """
        ...

    def trust_anchor(self, anchor: Anchor, header: Header) -> ConsensusState:
        """The first consensus state of a client: *header* is exactly the one *anchor* names.

        Raises ``AnchorMismatch``, or as ``read_header``.
        """
        ...

    def verify_header(
        self,
        anchor: Anchor,
        trusted: ConsensusState,
        trusted_validators: bytes,
        header: Header,
        *,
        now: Timestamp,
    ) -> Verdict:
        """Whether *header* follows from *trusted* by the client's rules.

        *trusted_validators* are the canonical bytes of the set whose hash is
        ``trusted.next_validators_hash``; checked. Raises ``Malformed``, ``VerificationFailed`` or
        ``TrustExpired``; only a lack of trusted power is a value, because bisection steers by it.
        """
        ...

    def verify_misbehaviour(
        self,
        anchor: Anchor,
        first: tuple[ConsensusState, bytes, Header],
        second: tuple[ConsensusState, bytes, Header],
        *,
        now: Timestamp,
    ) -> None:
        """Two headers both follow from trusted states and contradict each other.

        Each side is (trusted state, its next validators' bytes, header). Raises
        ``MisbehaviourNotProven``, or as ``verify_header``.
        """
        ...

    def verify_membership(
        self, root: bytes, prefix: tuple[bytes, ...], key: bytes, value: bytes, proof: bytes
    ) -> Included:
        """*proof* shows *value* at *key* under *prefix* in the state with *root*.

        Raises ``ProofUnparseable``, ``ProofSpecViolated``, ``RootMismatch`` or
        ``MembershipNotProven``.
        """
        ...

    def verify_non_membership(
        self, root: bytes, prefix: tuple[bytes, ...], key: bytes, proof: bytes
    ) -> Excluded:
        """*proof* shows that *key* is absent under *prefix* in the state with *root*.

        Raises as ``verify_membership``, with ``NonMembershipNotProven``.
        """
        ...

    def verify_batch(
        self,
        root: bytes,
        prefix: tuple[bytes, ...],
        leaves: Sequence[tuple[bytes, bytes]],
        batch: bytes,
    ) -> None:
        """*batch* shows each (key, value) of *leaves*, keys strictly rising, under one root.

        One failure rejects all. Raises ``ProofUnparseable``, ``ProofBatchInvalid``,
        ``ProofSpecViolated`` or ``RootMismatch``.
        """
        ...
