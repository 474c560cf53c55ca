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

    def hash_validators(self, validators: bytes) -> bytes:
        """The hash by which headers and consensus states name the set of these canonical bytes.

        Raises ``Malformed`` or ``VerificationFailed``.
        """
        ...

    def read_header(self, header: Header) -> ConsensusState:
        """What *header* claims, with every hash recomputed and the set matched, no trust implied.

        The set's bytes must hash to what the header names. Raises ``Malformed`` or
        ``VerificationFailed``.
        """
        ...

    def check_anchor(self, anchor: Anchor) -> None:
        """*anchor* can start a client of this family. Raises ``AnchorInvalid``."""
        ...

    def trust_anchor(self, anchor: Anchor, header: Header) -> ConsensusState:
        """The first consensus state of a client: *header* is exactly the one *anchor* names.

        Its own quorum is verified too. Raises ``AnchorInvalid``, ``AnchorMismatch``, or as
        ``read_header``.
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

    def may_follow(
        self, anchor: Anchor, trusted: ConsensusState, trusted_validators: bytes, header: Header
    ) -> bool:
        """Whether ``verify_header`` would find enough trust, if the signatures are what they claim.

        For planning: counted, no signature verified, no time looked at. Raises as ``read_header``.
        """
        ...

    def links_to(self, parent: Header, child: Header) -> bool:
        """Whether *child* names *parent* as the block before it.

        A parent of a verified header is verified, whatever its age. Raises as ``read_header``.
        """
        ...

    def find_conflict(
        self, new: ConsensusState, stored: Sequence[ConsensusState]
    ) -> ConsensusState | None:
        """The first of *stored* that no honest chain has beside the verified *new*, or None.

        The states stored at the height of *new* and next below and above it are enough.
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

        Each side is (trusted state, its next validators' bytes, header), in either order. Relaxed
        on time: a header may be ahead of now and need not be later than its trusted state. Raises
        ``MisbehaviourNotProven`` or ``NotEnoughTrust``, or as ``verify_header``.
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
