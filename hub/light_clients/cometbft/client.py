"""The light client of CometBFT chains, behind the shape that every family has.

Source: ICS-07; ibc-go modules/light-clients/07-tendermint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hub.core.client import check_anchor
from hub.core.errors import AnchorInvalid, AnchorMismatch
from hub.light_clients import predicates
from hub.light_clients.cometbft import misbehaviour, verify
from hub.light_clients.cometbft.header import revision_of
from hub.light_clients.cometbft.validators import read_signers
from hub.light_clients.proofs import batch as proof_batch
from hub.light_clients.proofs import ics23

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.client import Anchor, ConsensusState, Header
    from hub.core.time import Timestamp
    from hub.light_clients.interface import Excluded, Included, Verdict

CLIENT_TYPE: Final = "07-tendermint"


class CometBftClient:
    """Verifies CometBFT headers, and ICS-23 proofs under their ``app_hash``.

    A root is the ``app_hash`` as the chain has it. One that is not 32 bytes long is kept, and the
    header verifies; but no proof ever ends at it.
    """

    client_type: str = CLIENT_TYPE

    def hash_validators(self, validators: bytes) -> bytes:
        """The hash by which headers and consensus states name the set of these bytes.

        Raises ``Malformed`` or ``VerificationFailed``.
        """
        return read_signers(validators).hash

    def read_header(self, header: Header) -> ConsensusState:
        """What *header* claims, with every hash recomputed and the set matched, no trust implied.

        Raises ``Malformed`` or ``VerificationFailed``.
        """
        return verify.read_light_block(header).state

    def check_anchor(self, anchor: Anchor) -> None:
        """*anchor* can start a client: whole in itself, in the revision that its chain id names.

        Raises ``AnchorInvalid``. Source: ibc-go 02-client types/height.go, ParseChainID.
        """
        check_anchor(anchor)
        revision = revision_of(anchor.chain_id)
        if anchor.height.revision != revision:
            problem = f"is of revision {anchor.height.revision}, its chain id names {revision}"
            raise AnchorInvalid(field="height", problem=problem)

    def trust_anchor(self, anchor: Anchor, header: Header) -> ConsensusState:
        """The first consensus state of a client: *header* is exactly the one *anchor* names.

        Its quorum is verified too, though its hash already says everything: an anchor that was
        never decided is a mistake to hear of at once. Raises ``AnchorInvalid``, ``AnchorMismatch``,
        another ``Malformed`` or another ``VerificationFailed``.
        """
        self.check_anchor(anchor)
        if anchor.client_type != self.client_type:
            raise AnchorMismatch(
                field="client_type", got=self.client_type, expected=anchor.client_type
            )
        block = verify.read_light_block(header)
        predicates.anchor_names(anchor, block.state, chain_id=block.header.chain_id)
        verify.verify_quorum(block)
        return block.state

    def verify_header(
        self,
        anchor: Anchor,
        trusted: ConsensusState,
        trusted_validators: bytes,
        header: Header,
        *,
        now: Timestamp,
    ) -> Verdict:
        """Whether *header* follows from *trusted*, by one step or by skipping.

        *trusted_validators* are the bytes of the set that ``trusted.next_validators_hash`` names.
        Raises ``Malformed``, ``VerificationFailed`` or ``TrustExpired``.
        """
        trusted_signers = read_signers(trusted_validators)
        block = verify.read_light_block(header)
        return verify.verify_light_block(anchor, trusted, trusted_signers, block, now=now)

    def may_follow(
        self, anchor: Anchor, trusted: ConsensusState, trusted_validators: bytes, header: Header
    ) -> bool:
        """Whether ``verify_header`` would find enough trust, if the signatures are what they claim.

        For planning: no signature is verified and no time looked at. Raises ``Malformed`` or
        ``VerificationFailed``.
        """
        block = verify.read_light_block(header)
        trusted_signers = read_signers(trusted_validators)
        predicates.validator_set_matches(
            got=trusted_signers.hash, expected=trusted.next_validators_hash
        )
        if block.state.height <= trusted.height:
            return False
        if verify.is_adjacent(trusted, block):
            return block.signers.hash == trusted.next_validators_hash
        signed, total = verify.overlap(trusted_signers, block)
        return predicates.more_than(anchor.options.trust_level, signed=signed, total=total)

    def links_to(self, parent: Header, child: Header) -> bool:
        """Whether *child* names *parent* as the block before it.

        Raises ``Malformed`` or ``VerificationFailed``.
        """
        return verify.links_to(verify.read_light_block(parent), verify.read_light_block(child))

    def find_conflict(
        self, new: ConsensusState, stored: Sequence[ConsensusState]
    ) -> ConsensusState | None:
        """The first of *stored* that no honest chain has beside the verified *new*, or None."""
        return predicates.find_conflict(new, stored)

    def verify_misbehaviour(
        self,
        anchor: Anchor,
        first: tuple[ConsensusState, bytes, Header],
        second: tuple[ConsensusState, bytes, Header],
        *,
        now: Timestamp,
    ) -> None:
        """Two headers both follow from trusted states and contradict each other.

        Each side is (trusted state, its next validators' bytes, header). Raises ``Malformed``,
        ``MisbehaviourNotProven``, another ``VerificationFailed`` or ``TrustExpired``.
        """
        misbehaviour.verify_misbehaviour(anchor, _side(*first), _side(*second), now=now)

    def verify_membership(
        self, root: bytes, prefix: tuple[bytes, ...], key: bytes, value: bytes, proof: bytes
    ) -> Included:
        """*proof* shows *value* at *key* under *prefix* in the state with *root*.

        Raises ``ProofUnparseable``, ``LimitExceeded``, ``ProofSpecViolated``, ``RootMismatch`` or
        ``MembershipNotProven``.
        """
        return ics23.verify_membership(root, prefix, key, value, proof)

    def verify_non_membership(
        self, root: bytes, prefix: tuple[bytes, ...], key: bytes, proof: bytes
    ) -> Excluded:
        """*proof* shows that *key* is absent under *prefix* in the state with *root*.

        Raises as ``verify_membership``, with ``NonMembershipNotProven``.
        """
        return ics23.verify_non_membership(root, prefix, key, proof)

    def verify_batch(
        self,
        root: bytes,
        prefix: tuple[bytes, ...],
        leaves: Sequence[tuple[bytes, bytes]],
        batch: bytes,
    ) -> None:
        """*batch* shows each (key, value) of *leaves*, keys strictly rising, under one root.

        Raises ``ProofUnparseable``, ``LimitExceeded``, ``ProofBatchInvalid``,
        ``ProofSpecViolated`` or ``RootMismatch``.
        """
        proof_batch.verify_batch(root, prefix, leaves, batch)


def _side(trusted: ConsensusState, validators: bytes, header: Header) -> misbehaviour.Side:
    return misbehaviour.Side(trusted, read_signers(validators), verify.read_light_block(header))
