"""The items of the exam, in the order in which they are examined: misbehaviour ends the client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.conformance.checks import (
    beginning,
    clients,
    ending,
    misbehaving,
    ordering,
    proofs,
    receiving,
    rules,
    sending,
)
from hub.core.errors import FieldInvalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.conformance.check import Check

ITEMS: Final[tuple[Check, ...]] = (
    beginning.hello,
    beginning.heartbeat,
    beginning.headers_shown,
    beginning.headers_on_request,
    beginning.unknown_headers,
    beginning.unknown_request,
    clients.anchors,
    clients.create_client,
    clients.anchor_header,
    clients.counterparty,
    clients.client_mirror,
    clients.update_client,
    clients.forged_header,
    proofs.proofs,
    proofs.newest_proofs,
    proofs.proof_batches,
    proofs.bad_proof_requests,
    receiving.receive,
    receiving.receive_again,
    receiving.acknowledgements_shown,
    receiving.forged_proof,
    receiving.late_packet,
    receiving.late_among_others,
    ordering.order_enforced,
    ordering.passed_over,
    sending.packets_shown,
    sending.acknowledge,
    sending.acknowledge_again,
    sending.error_acknowledgement,
    sending.time_out,
    sending.credits,
    sending.resumption,
    ending.drain,
    ending.silence,
    ending.wrong_version,
    sending.conservation,
    misbehaving.false_accusation,
    misbehaving.misbehaviour,
    misbehaving.frozen_client,
    rules.frames_within_limits,
    rules.headers_first,
    rules.batches_verify,
    rules.shown_once,
    rules.reports,
    rules.reasons,
    rules.sessions_last,
)


def chosen(names: Sequence[str]) -> tuple[Check, ...]:
    """The items of these *names*, or all where there are none. Raises ``FieldInvalid``."""
    known = {item.name for item in ITEMS}
    for name in names:
        if name not in known:
            raise FieldInvalid(field="--only", problem=f"names no item: {name[:64]}")
    return tuple([item for item in ITEMS if not names or item.name in names])
