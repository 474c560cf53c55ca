"""Changes of a test chain's validator set, while it runs.

Source: cosmos-sdk proto/cosmos/staking/v1beta1/tx.proto, x/staking/keeper/delegation.go (an
operator that keeps its smallest stake is not jailed), x/staking/README.md.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from adapters.cosmos.tx.messages import encode_coin
from hub.core.codec.proto import bytes_field, message_field
from tests.chains.cosmos.genesis import operator_address
from tests.chains.cosmos.options import POWER, STAKE
from tests.chains.cosmos.user import CosmosUser

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.chains.cosmos.network import CosmosNetwork

SMALLEST_STAKE: Final = 1
"""What an operator leaves staked when its validator is to have no power."""
CHANGED_WITHIN_BLOCKS: Final = 20


@dataclass(frozen=True, slots=True)
class Delegate:
    """Stake is added to a validator."""

    type_url: ClassVar[str] = "/cosmos.staking.v1beta1.MsgDelegate"

    validator: str
    """The address of its operator, as the staking module names it."""
    amount: int

    def encode(self, signer: str) -> bytes:
        """As ``adapters.cosmos.tx.messages.Message``."""
        return _stake_message(signer, self.validator, self.amount)


@dataclass(frozen=True, slots=True)
class Undelegate:
    """Stake is taken from a validator; it comes back after the unbonding time."""

    type_url: ClassVar[str] = "/cosmos.staking.v1beta1.MsgUndelegate"

    validator: str
    amount: int

    def encode(self, signer: str) -> bytes:
        """As ``adapters.cosmos.tx.messages.Message``."""
        return _stake_message(signer, self.validator, self.amount)


async def powers(network: CosmosNetwork, height: int = 0) -> tuple[int, ...]:
    """The voting power of each node's validator in the set of *height* (0: the newest)."""
    params = {"height": str(height)} if height else {}
    told = (await network.call("validators", params | {"per_page": "100"}))["validators"]
    found = {one["address"].lower(): int(one["voting_power"]) for one in told}
    return tuple(found.get(home.validator.address, 0) for home in network.nodes)


async def set_powers(network: CosmosNetwork, wanted: Sequence[int]) -> int:
    """The first height whose validator set has the powers *wanted*, one for each node.

    Operators add to or take from what they have staked. Nothing else may change the set meanwhile,
    and one operator takes stake away seven times at most in an unbonding time.
    """
    before = await powers(network)
    since = await network.height()
    changes = zip(network.operators, before, wanted, strict=True)
    submitted = [
        CosmosUser(network, key).settle([_change(operator_address(key.address), had, needed)])
        for key, had, needed in changes
        if had != needed
    ]
    for outcome in await asyncio.gather(*submitted):
        assert outcome.code == 0, outcome.log
    for height in range(since + 1, since + CHANGED_WITHIN_BLOCKS):
        await network.wait_height(height)
        if await powers(network, height) == tuple(wanted):
            return height
    raise AssertionError(f"the powers are {await powers(network)}, not {tuple(wanted)}")


def _change(validator: str, had: int, needed: int) -> Delegate | Undelegate:
    """What brings a validator of power *had* to *needed*.

    One of power 0 keeps its smallest stake, which is too little to count.
    """
    if needed > had:
        return Delegate(validator, (needed - had) * POWER)
    kept = 0 if needed else SMALLEST_STAKE
    return Undelegate(validator, (had - needed) * POWER - kept)


def _stake_message(signer: str, validator: str, amount: int) -> bytes:
    return (
        bytes_field(1, signer.encode())
        + bytes_field(2, validator.encode())
        + message_field(3, encode_coin(STAKE, amount))
    )
