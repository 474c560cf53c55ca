"""What to do about each reason, in a sentence."""

from __future__ import annotations

from typing import Final

from hub.core.errors import Reason

_R = Reason
_SAME_AS_SENT = (
    "send the bytes exactly as the chain has them; an adapter that alters them is faulty"
)
_NEWER_HEADER = "wait for the adapter to show a newer header, and look at `ydhub client get`"
_COMPARE = "compare the two out of band with the city's operator; never adopt the other side's"

FIXES: Final[dict[Reason, str]] = {
    # Malformed
    _R.FIELD_INVALID: "correct the field that is named and send the request again",
    _R.IDENTIFIER_INVALID: "write the name as the rule says; every `list` prints whole names",
    _R.HEIGHT_INVALID: "write heights as {revision}-{number}, the number from 1",
    _R.PACKET_INVALID: "correct the application: its packet breaks a rule of ICS-04 v2",
    _R.PAYLOAD_TOO_LARGE: "send less in a packet, or raise the limit: `ydhub route allow`",
    _R.TIMEOUT_INVALID: "choose a timeout within the bounds, or change them: `ydhub route allow`",
    _R.HEADER_UNPARSEABLE: _SAME_AS_SENT,
    _R.PROOF_UNPARSEABLE: _SAME_AS_SENT,
    _R.ENCODING_NOT_CANONICAL: _SAME_AS_SENT,
    _R.FRAME_INVALID: "upgrade the adapter: it does not keep to the session protocol",
    _R.LIMIT_EXCEEDED: "split the input; the limit is never raised",
    _R.ANCHOR_INVALID: "write the anchor anew from a node of the chain that you trust",
    _R.PAGE_TOKEN_INVALID: "start the list again without a page token",
    # VerificationFailed
    _R.CHAIN_ID_MISMATCH: "the adapter shows another chain: look at its configuration",
    _R.PROTOCOL_VERSION_MISMATCH: "upgrade the hub: the chain speaks a newer block protocol",
    _R.HEIGHT_NOT_INCREASING: "nothing to do: a newer header is known already",
    _R.TIME_NOT_INCREASING: "look at the chain's clocks; its headers must rise in time",
    _R.HEADER_FROM_FUTURE: "look at this machine's clock, then at the chain's",
    _R.VALIDATOR_SET_MISMATCH: _SAME_AS_SENT,
    _R.COMMIT_MISMATCH: _SAME_AS_SENT,
    _R.SIGNER_UNKNOWN: _SAME_AS_SENT,
    _R.SIGNER_DUPLICATE: "the header is forged: find out who shows it",
    _R.SIGNATURE_INVALID: "the header is forged or damaged: find out who shows it",
    _R.VOTING_POWER_INVALID: "the validator set is forged: find out who shows it",
    _R.QUORUM_NOT_REACHED: "the header was never decided: find out who shows it",
    _R.NOT_ENOUGH_TRUST: "show a header in between: too little of the trusted set signed this one",
    _R.ANCHOR_MISMATCH: _COMPARE,
    _R.ROOT_MISMATCH: "fetch the proof again at the height of a verified header",
    _R.PROOF_SPEC_VIOLATED: "the proof is forged: find out who shows it",
    _R.MEMBERSHIP_NOT_PROVEN: "fetch the proof again: it is of another key or value",
    _R.NON_MEMBERSHIP_NOT_PROVEN: "fetch the proof again: it does not show that nothing is there",
    _R.PROOF_BATCH_INVALID: "the adapter makes batches that do not fit together: upgrade it",
    _R.MISBEHAVIOUR_NOT_PROVEN: "nothing to do: the two headers do not contradict each other",
    # StateForbids
    _R.CLIENT_PENDING: "attach the adapter: it shows the anchor's header first",
    _R.CLIENT_FROZEN: "see `ydhub client evidence list`, then start anew: `ydhub client recover`",
    _R.CLIENT_EXPIRED: "start anew: `ydhub client recover`; to judge as of then, give --as-of",
    _R.CLIENT_ACTIVE: "nothing to do; to stop it first, `ydhub client freeze PEER --cause WHY`",
    _R.CONSENSUS_STATE_MISSING: _NEWER_HEADER,
    _R.PEER_SUSPENDED: "see why: `ydhub peer get`; to end it, `ydhub peer resume PEER --cause WHY`",
    _R.LANE_NOT_OPEN: "open it: `ydhub lane open`; one that drains: `ydhub lane resume LANE`",
    _R.LANE_PAUSED: "let it go on when the cause is settled: `ydhub lane resume LANE`",
    _R.TIMEOUT_ELAPSED: "send it again with a later timeout; this one is refunded",
    _R.TIMEOUT_NOT_REACHED: "wait until a header of the destination is past the timeout",
    _R.ILLEGAL_MOVE: "look at `ydhub packet explain`: the packet has gone another way",
    _R.SEQUENCE_OUT_OF_ORDER: "send the next sequence first: the lane keeps order",
    _R.SEQUENCE_RETIRED: "nothing to do: it ended, and its day was dropped; a backup may have it",
    _R.GAP_TOO_WIDE: "show the missing sequences first: `ydhub lane get` counts what is there",
    _R.BELOW_FIRST_SEQUENCE: "nothing to do: the lane begins later; others carry what is before",
    _R.SCHEMA_VERSION_MISMATCH: "bring the database along: `ydhub-server migrate`",
    _R.TRANSACTION_REFUSED: "look at the rule that is named, and at the adapter's account and fees",
    _R.ISSUER_MISSING: "name a CA in the hub's [issuer], or have your own CA sign the certificate",
    _R.DATABASE_UNFIT: "set what is named right, or name the right database; see promotion.md",
    # NotFound
    _R.PEER_NOT_FOUND: "see which there are: `ydhub peer list`; add it: `ydhub peer register`",
    _R.RELAYER_NOT_FOUND: "see which there are: `ydhub relayer list`",
    _R.CLIENT_NOT_FOUND: "see which there are: `ydhub client list`",
    _R.LANE_NOT_FOUND: "see which there are: `ydhub lane list`",
    _R.ROUTE_NOT_FOUND: "see which there are: `ydhub route list`",
    _R.PACKET_NOT_FOUND: "see which there are: `ydhub packet list`; it may not be proven yet",
    _R.HEADER_NOT_FOUND: "choose a height that the hub has verified: `ydhub client get`",
    _R.PROOF_NOT_FOUND: "wait until it is proven: `ydhub packet explain`",
    _R.EVIDENCE_NOT_FOUND: "see which there is: `ydhub client evidence list PEER`",
    # Conflict
    _R.PEER_EXISTS: "see what stands there: `ydhub peer describe`; compare it out of band",
    _R.LANE_EXISTS: "see what stands there: `ydhub lane list`",
    _R.PACKET_DIFFERS: "stop and look: a chain committed to one packet, somebody shows another",
    _R.OUTCOME_DIFFERS: "stop and look: `ydhub client evidence list` has both outcomes",
    _R.CONSENSUS_STATE_DIFFERS: "stop and look: `ydhub client evidence list` has both headers",
    _R.REQUEST_ID_REUSED: "use a request id for one request alone",
    _R.EXECUTION_DISPROVEN: "ask the city to look at its adapter; then `ydhub packet retry`",
    # LostRace
    _R.ETAG_MISMATCH: "read it again, then change what you have read",
    _R.LEASE_LOST: "nothing to do: another relayer has taken over",
    _R.GATE_CHANGED: "try again: a freeze or a pause came in between",
    # NotAllowed
    _R.CREDENTIALS_MISSING: "use a certificate with a SPIFFE identity of this hub: --cert, --key",
    _R.IDENTITY_NOT_ALLOWED: "ask an administrator, or use the certificate of the right identity",
    _R.POLICY_DENIES_ROUTE: "allow the route for packets to come: `ydhub route allow`",
    _R.CERTIFICATE_REVOKED: "ask an administrator for an invitation: `ydhub peer invite PEER`",
    _R.CERTIFICATE_EXPIRED: "get a new one: `ydhub peer enroll` with an invitation, or your own CA",
    _R.INVITATION_INVALID: "ask an administrator for a new one: `ydhub peer invite PEER`",
    # Exhausted
    _R.CREDITS_SPENT: "upgrade the adapter: it sends more than it was given credits for",
    _R.BACKLOG_FULL: "nothing to do: the mempool is full, it is tried again after the next block",
    _R.RATE_LIMITED: "wait as long as the answer says",
    _R.GAS_EXHAUSTED: "it is tried again with more; raise the adapter's limit if that ends it",
    # Unavailable
    _R.ADAPTER_OFFLINE: "start the city's adapter, and look at its log",
    _R.REGISTRY_UNREACHABLE: "look at the database and its log; the hub goes on by itself",
    _R.CHAIN_UNREACHABLE: "look at the city's node; the adapter goes on by itself",
    _R.ANSWER_OVERDUE: "look at the log of whoever was asked; it is asked again by itself",
    _R.SHUTTING_DOWN: "try again: another process takes over",
    _R.TRANSACTION_LOST: "nothing to do: it is sent again; look at the city's node if it recurs",
    _R.COMMIT_UNKNOWN: "ask again, with the same --request-id: what is done is not done twice",
    _R.STANDBY_MISSING: "bring the standby back, see promotion.md; all goes on by itself",
    _R.TIMELINE_OUTDATED: "stop that server, make it a standby by pg_rewind: promotion.md",
    # Corrupt
    _R.RECORD_CORRUPT: "stop the hub, keep the database as it is, and restore from a backup",
    # Unsupported
    _R.CLIENT_TYPE_UNKNOWN: "upgrade the hub, or correct `client_type` in the anchor's file",
    _R.PROTOCOL_UNSUPPORTED: "upgrade whichever of adapter and relayer is older",
    _R.PACKET_UNSUPPORTED: "send a packet within the destination's limits; this one times out",
    # a bug of ours
    _R.INTERNAL: "report it with the request id; the log line of that id has the rest",
}
"""By reason; a test holds it complete."""
