"""Every invariant of the registry: its name, what it says, and where it comes from.

One closed table. The registry's queries, the twin's checks and the tests that plant a violation
have these names and no others.

What becomes of the reference's twenty, at this hub:

====  ==================================================================================
I1    ``one_packet_per_sequence``, ``one_effect_per_sequence``
I2    ``no_outcome_without_packet``, ``proof_of_every_fact``, ``header_of_every_proof``
I3    ``executed_xor_refunded``
I4    ``refund_only_with_absence``
I5    ``sequences_dense``, ``outcomes_dense``, ``ranges_bounded``
I6    ``ordered_outcomes``
I7    ``equivocation_frozen``
I8    ``one_header_per_height``, ``nothing_after_freeze``
I9    Not here: what a payload is worth only the chains know. Their ledgers are compared by
      ``hub.cli.dev.ledgers``, in the demo and in every run of whole processes.
I10   ``every_change_audited``. There is no transparency log, so no leaf is asked for.
I11   Does not apply: there is no transparency log.
I12   ``fencing_monotone``, ``lease_unique``
I13   ``legal_moves``, ``completed_has_outcome``, ``reopenings_counted``, ``lane_states``,
      ``stopped_sides``
I14   ``no_overdue_without_exception``
I15   Metrics with alerts, not rows: ``ydhub_lane_oldest_timestamp_seconds`` and
      ``ydhub_peer_attached`` say how old what waits and who holds a lease is.
I16   Does not apply to rows: a caller's one role is the first segment of the one identity
      in its certificate, so nobody has two.
I17   ``audit_not_ahead``: no row stands before its own newest event. Rows hold no hash of
      their history; adapters compare a lane's clients with their own chain.
I18   ``no_zero_hashes``. Sets of validators are judged when headers are, by hash and weight.
I19   ``outcome_not_before_packet``
I20   Does not apply: changes need one administrator; what two must do is not built.
====  ==================================================================================

Source: reliability notes, section 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hub.core.time import SECOND, Duration

MAX_SAMPLES: Final = 5
"""Rows of one invariant that are told of."""
WITHIN: Final = Duration(240 * SECOND)
"""What asking all of them of all records may take (ns); less than a caller waits for an answer."""
LOOKS_AGAIN_WITHIN: Final = 60
"""Seconds of the destination's time within which a packet that is past its timeout, received, and
not acknowledged yet, is looked at again."""


@dataclass(frozen=True, slots=True)
class Invariant:
    """One row of the table."""

    name: str
    source: str
    """Its number in the reference."""
    meaning: str


@dataclass(frozen=True, slots=True)
class InvariantViolation:
    """How many rows break one invariant."""

    invariant: str
    count: int
    samples: tuple[str, ...] = ()
    """Some of the rows, as text."""
    took: Duration = Duration(0)
    """How long asking took."""
    is_finished: bool = True
    """Whether there was time to look at everything; the count says nothing where there was not."""


TABLE: Final = (
    Invariant("one_packet_per_sequence", "I1", "A lane has one packet of a sequence."),
    Invariant("one_effect_per_sequence", "I1", "A packet has one outcome at most."),
    Invariant("no_outcome_without_packet", "I2", "An outcome is of a packet that was accepted."),
    Invariant("proof_of_every_fact", "I2", "Every packet and every outcome has its proof."),
    Invariant("header_of_every_proof", "I2", "Every proof is under a header that was verified."),
    Invariant("executed_xor_refunded", "I3", "No packet is both executed and refunded."),
    Invariant(
        "refund_only_with_absence",
        "I4",
        "A refund has a proof of absence under a header at or past the packet's timeout.",
    ),
    Invariant("sequences_dense", "I5", "A lane's row counts the packets that it has."),
    Invariant("outcomes_dense", "I5", "A lane's row counts the outcomes that it has."),
    Invariant("ranges_bounded", "I5", "A lane's row has 64 ranges at most."),
    Invariant("ordered_outcomes", "I6", "On a lane whose order is enforced none is passed over."),
    Invariant("equivocation_frozen", "I7", "Who signed two truths has its client frozen."),
    Invariant("one_header_per_height", "I8", "A client has one header of a height."),
    Invariant("nothing_after_freeze", "I8", "Nothing is verified by a client that is frozen."),
    Invariant("every_change_audited", "I10", "Every change by a person has its audit event."),
    Invariant("fencing_monotone", "I12", "No lease writes once a later one has written."),
    Invariant("lease_unique", "I12", "A lane's side is under the epoch of its peer's lease."),
    Invariant("legal_moves", "I13", "Nothing is delivered that was not accepted, or was denied."),
    Invariant("completed_has_outcome", "I13", "Nothing has ended that has no outcome."),
    Invariant("reopenings_counted", "I13", "What was open again is counted, with its proof."),
    Invariant("lane_states", "I13", "A lane that is open has no cause to pause."),
    Invariant("stopped_sides", "I13", "A lane's side is stopped where its peer or lane is."),
    Invariant(
        "no_overdue_without_exception", "I14", "What waits has a timeout to come, or says why."
    ),
    Invariant("audit_not_ahead", "I17", "No row stands before the newest event about it."),
    Invariant("no_zero_hashes", "I18", "No header and no anchor has a hash of zeros."),
    Invariant("outcome_not_before_packet", "I19", "No outcome is older than its packet."),
)
"""Every invariant, in the order of their sources."""

BY_NAME: Final = {invariant.name: invariant for invariant in TABLE}
