"""Refusals by a chain or its adapter: their words, as typed and bounded records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hub.core.errors import Reason
from hub.core.record import Refusal

if TYPE_CHECKING:
    from ydhub.relay.v1 import relay_pb2 as pb

MAX_DETAIL: Final = 512
"""Characters of an adapter's own words that are kept."""

_REASONS: Final = {reason.value: reason for reason in Reason}


def read_refusal(entry: pb.Refusal) -> Refusal:
    """The refusal; an unknown reason is INTERNAL with the adapter's word in the detail."""
    reason = _REASONS.get(entry.reason)
    detail = entry.detail if reason is not None else f"{entry.reason}: {entry.detail}"
    return Refusal(reason or Reason.INTERNAL, _printable(detail), not entry.retryable)


def _printable(text: str) -> str:
    """*text* without what a log line or the registry's text cannot hold, cut."""
    return "".join([each if each.isprintable() else " " for each in text[:MAX_DETAIL]])
