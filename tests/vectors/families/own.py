"""Family ``own``: vectors recorded from this project's builders, in formats of its own.

Each case states its verdict and, where it is refused, the one reason. FORMAT.md describes them.
Beside them lie light blocks and proofs of chains that this project's tests ran.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub.core.client import Anchor, ConsensusState, Fraction, Header, TrustOptions
from hub.core.commitment import commit_acknowledgement, commit_packet
from hub.core.errors import HubError
from hub.core.height import Height
from hub.core.ids import ChainId
from hub.core.time import Duration, Timestamp
from hub.light_clients.cometbft.client import CometBftClient
from hub.light_clients.interface import Verified
from hub.light_clients.proofs.batch import verify_batch
from hub.light_clients.proofs.expand import expand_batch
from hub.light_clients.proofs.ics23 import verify_membership, verify_non_membership
from hub.wire.packet import decode_acknowledgement, decode_packet
from tests.vectors.cases import (
    ACCEPT,
    EXCLUDED,
    INCLUDED,
    NOT_ENOUGH_TRUST,
    REJECT,
    SUCCESS,
    Question,
)
from tests.vectors.families import cosmos_ibc_v2
from tests.vectors.json_fields import from_hex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def questions(content: dict[str, Any], path: Path) -> Iterator[Question]:
    """The cases of one file; of a recorded chain as of the published ones."""
    if "format" not in content:
        yield from cosmos_ibc_v2.questions(content, path)
        return
    judge = _JUDGES[content["format"]]
    for case in content["cases"]:
        expected = case["expected"]
        if "reason" in case:
            expected = f"{expected}: {case['reason']}"
        yield Question(
            case=case["name"],
            expected=expected,
            ask=lambda case=case: _asked(judge, content, case),  # type: ignore[misc]
        )


def _asked(
    judge: Callable[[dict[str, Any], dict[str, Any]], str],
    content: dict[str, Any],
    case: dict[str, Any],
) -> str:
    try:
        return judge(content, case)
    except HubError as error:
        return f"{REJECT}: {error.reason}"


def read_anchor(value: dict[str, Any]) -> Anchor:
    options = value["options"]
    return Anchor(
        client_type=value["client_type"],
        chain_id=ChainId(value["chain_id"]),
        height=Height(*value["height"]),
        header_hash=from_hex(value["header_hash"]),
        next_validators_hash=from_hex(value["next_validators_hash"]),
        options=TrustOptions(
            trust_level=Fraction(*options["trust_level"]),
            trusting_period=Duration(options["trusting_period"]),
            max_clock_drift=Duration(options["max_clock_drift"]),
        ),
        prefix=tuple(from_hex(element) for element in value["prefix"]),
    )


def read_state(value: dict[str, Any]) -> ConsensusState:
    return ConsensusState(
        height=Height(*value["height"]),
        header_hash=from_hex(value["header_hash"]),
        time=Timestamp(value["time"]),
        root=from_hex(value["root"]),
        next_validators_hash=from_hex(value["next_validators_hash"]),
    )


def _header(content: dict[str, Any], case: dict[str, Any]) -> str:
    verdict = CometBftClient().verify_header(
        read_anchor(content["anchor"]),
        read_state(content["trusted"]),
        from_hex(content["trusted_validators"]),
        Header(content=from_hex(case["content"]), validators=from_hex(case["validators"])),
        now=Timestamp(case["now"]),
    )
    return SUCCESS if isinstance(verdict, Verified) else NOT_ENOUGH_TRUST


def _prefix(content: dict[str, Any]) -> tuple[bytes, ...]:
    return tuple(from_hex(element) for element in content["prefix"])


def _proof(content: dict[str, Any], case: dict[str, Any]) -> str:
    root, prefix = from_hex(content["root"]), _prefix(content)
    key, proof = from_hex(case["key"]), from_hex(case["proof"])
    if case["value"] is None:
        verify_non_membership(root, prefix, key, proof)
        return EXCLUDED
    verify_membership(root, prefix, key, from_hex(case["value"]), proof)
    return INCLUDED


def _batch(content: dict[str, Any], case: dict[str, Any]) -> str:
    leaves = [(from_hex(key), from_hex(value)) for key, value in case["leaves"]]
    root, prefix, batch = from_hex(content["root"]), _prefix(content), from_hex(case["batch"])
    verify_batch(root, prefix, leaves, batch)
    for (key, value), proof in zip(leaves, expand_batch(prefix, leaves, batch), strict=True):
        verify_membership(root, prefix, key, value, proof)
    return ACCEPT


def _packet(content: dict[str, Any], case: dict[str, Any]) -> str:
    del content
    got = commit_packet(decode_packet(from_hex(case["bytes"])))
    return ACCEPT if got == from_hex(case["commitment"]) else REJECT


def _acknowledgement(content: dict[str, Any], case: dict[str, Any]) -> str:
    del content
    got = commit_acknowledgement(decode_acknowledgement(from_hex(case["bytes"])))
    return ACCEPT if got == from_hex(case["commitment"]) else REJECT


_JUDGES: dict[str, Callable[[dict[str, Any], dict[str, Any]], str]] = {
    "header": _header,
    "proof": _proof,
    "batch": _batch,
    "packet": _packet,
    "acknowledgement": _acknowledgement,
}
