"""What an answer says, where a check wants another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.conformance.demand import demand

if TYPE_CHECKING:
    from ydhub.relay.v1 import relay_pb2 as pb

    from hub.core.errors import Reason


def words(answer: pb.Answer) -> str:
    """What *answer* is, for people."""
    if answer.HasField("refusal"):
        return f"{answer.refusal.reason}: {answer.refusal.detail}"
    return f"an answer of {answer.WhichOneof('body')}"


def demand_refusal(answer: pb.Answer, *reasons: Reason) -> None:
    """*answer* refuses, for one of *reasons*. Raises ``Failed``."""
    holds = answer.HasField("refusal") and answer.refusal.reason in reasons
    demand(holds, f"a refusal by {' or '.join(reasons)}", words(answer))
