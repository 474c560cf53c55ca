"""Family ``tendermint``: single steps of the model, RPC answers of a node, an IBC client update.

Which it is, a file's own content tells.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from hub.core.client import Anchor, ConsensusState, Fraction, TrustOptions
from hub.core.height import Height
from hub.core.ids import ChainId
from hub.core.time import SECOND, Duration
from hub.light_clients.cometbft.client import CLIENT_TYPE, CometBftClient
from hub.light_clients.cometbft.codec import encode_validators
from hub.light_clients.cometbft.header import header_hash, revision_of, validators_hash
from hub.light_clients.interface import NeedsBisection
from tests.vectors.cases import (
    INVALID_HEADER,
    NOT_ENOUGH_TRUST,
    SUCCESS,
    Question,
    Unreadable,
    under_judgment,
)
from tests.vectors.comet_json import (
    header_of,
    read_header,
    read_signed_header,
    read_validators,
)
from tests.vectors.families import tendermint_ibc, tendermint_rpc
from tests.vectors.json_fields import duration, fraction, moment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hub.core.client import Header
    from hub.core.time import Timestamp

CLIENT = CometBftClient()
MODEL_DRIFT: Final = Duration(0)
"""Of the model's own files. Source: tendermint-rs light-client/tests/model_based.rs."""
DRIFT: Final = Duration(10 * SECOND)
"""Of every other file that names none."""


def questions(content: dict[str, Any], path: Path) -> Iterator[Question]:
    """The cases of one file."""
    if "input" in content and "initial" in content:
        return _single_steps(content, MODEL_DRIFT if _MODEL.match(path.name) else DRIFT)
    if "client_state_hex" in content:
        return tendermint_ibc.questions(content)
    return tendermint_rpc.questions(content)


_MODEL: Final = re.compile(r"MC\d+_\d+_")
"""How the model's files are called: by its numbers of validators and heights."""


class _Trust:
    """What the light client trusts at this point of a file."""

    def __init__(self, initial: dict[str, Any], drift: Duration) -> None:
        header = read_header(initial["signed_header"]["header"])
        self.anchor = Anchor(
            client_type=CLIENT_TYPE,
            chain_id=ChainId(header.chain_id),
            height=Height(revision_of(header.chain_id), header.height),
            header_hash=header_hash(header),
            next_validators_hash=header.next_validators_hash,
            options=_options(initial, drift),
            prefix=(b"ibc", b""),
        )
        self.state = ConsensusState(
            height=self.anchor.height,
            header_hash=self.anchor.header_hash,
            time=header.time,
            root=header.app_hash,
            next_validators_hash=header.next_validators_hash,
        )
        self.next_validators = encode_validators(
            read_validators(initial["next_validator_set"]["validators"], sort=True)
        )

    def step(self, entry: dict[str, Any]) -> str:
        """The verdict of one step; trust moves on if it succeeds."""
        with under_judgment():
            header, next_validators = _block(entry["block"])
            now = moment(entry["now"])
        verdict = self._verify(header, now)
        if verdict == SUCCESS:
            self.next_validators = next_validators
        return verdict

    def _verify(self, header: Header, now: Timestamp) -> str:
        verdict = CLIENT.verify_header(
            self.anchor, self.state, self.next_validators, header, now=now
        )
        if isinstance(verdict, NeedsBisection):
            return NOT_ENOUGH_TRUST
        self.state = verdict.state
        return SUCCESS


def _single_steps(content: dict[str, Any], drift: Duration) -> Iterator[Question]:
    @cache
    def trust() -> _Trust:
        with under_judgment():
            return _Trust(content["initial"], drift)

    for index, entry in enumerate(content["input"]):
        yield Question(
            case=str(index),
            expected=entry.get("verdict"),
            ask=lambda entry=entry: trust().step(entry),  # type: ignore[misc]
            refusal=INVALID_HEADER,
        )


def _block(block: dict[str, Any]) -> tuple[Header, bytes]:
    """The header, and the set that it names as next, which the model's block carries too.

    The model's sets are not in order. Source: tendermint-rs, the same file, sorts them too.
    """
    validators = read_validators(block["validator_set"]["validators"], sort=True)
    following = read_validators(block["next_validator_set"]["validators"], sort=True)
    named = read_signed_header(block["signed_header"]).header.next_validators_hash
    if validators_hash(following) != named:
        raise Unreadable("the next validators are not the named ones")
    return header_of(block["signed_header"], validators), encode_validators(following)


def _options(initial: dict[str, Any], drift: Duration) -> TrustOptions:
    """``initial.options`` where a file has it; *drift* is for a file that names none."""
    given = initial.get("options") or {}

    def first(*names: str, default: Any = None) -> Any:
        return next((given[name] for name in names if given.get(name) is not None), default)

    stated = first("clock_drift", "max_clock_drift", "clock_drift_ns", "max_clock_drift_ns")
    return TrustOptions(
        trust_level=Fraction(*fraction(first("trust_threshold", "trust_level", default=(1, 3)))),
        trusting_period=duration(first("trusting_period", default=initial["trusting_period"])),
        max_clock_drift=drift if stated is None else duration(stated),
    )
