"""The genesis of a test chain, from the application's own defaults.

Validators stand in it as the staking module's records, unbonded with their stake in the pool of
what is not bonded: at height 0 the module bonds them, and tells CometBFT, as it would those of
genesis transactions.

Source: cosmos-sdk x/staking/keeper/genesis.go, x/bank/keeper/genesis.go,
x/auth/types/account.go (module addresses).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import bech32

from adapters.cosmos.tx.keys import encode_address
from tests.chains.cosmos.options import POWER, STAKE

if TYPE_CHECKING:
    from tests.chains.cosmos.options import ChainOptions

PREFIX: Final = "cosmos"
OPERATOR_PREFIX: Final = "cosmosvaloper"
EPOCH: Final = "1970-01-01T00:00:00Z"
NO_PART: Final = "0.000000000000000000"
OPERATOR_RICHES: Final = {STAKE: 1_000_000 * POWER}
"""What each validator's operator has beside what it staked: enough to outweigh all others."""

Balances = dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Validator:
    """A validator as the genesis names it."""

    operator: str
    """The address of its account."""
    public_key: str
    """Ed25519, base64."""
    power: int


def operator_address(address: str) -> str:
    """The account *address* as the staking module names a validator's operator."""
    _, words = bech32.bech32_decode(address)
    assert words is not None, f"{address} is no address"
    return str(bech32.bech32_encode(OPERATOR_PREFIX, words))


def module_address(name: str) -> str:
    """The account of the module *name*."""
    return encode_address(PREFIX, sha256(name.encode()).digest()[:20])


def make_genesis(
    defaults: dict[str, Any],
    *,
    chain_id: str,
    time: str,
    validators: tuple[Validator, ...],
    options: ChainOptions,
) -> dict[str, Any]:
    """The genesis document of *chain_id*, which starts at *time* (RFC 3339)."""
    genesis = copy.deepcopy(defaults)
    genesis.update(chain_id=chain_id, genesis_time=time)
    _limit(genesis["consensus"]["params"], options)
    state = genesis["app_state"]
    _endow(state, _balances(validators, options))
    _stake(state["staking"], validators, options)
    state["slashing"]["params"]["signed_blocks_window"] = str(options.signed_window_blocks)
    for name in ("inflation", "inflation_max", "inflation_min", "inflation_rate_change"):
        held = state["mint"]["minter" if name == "inflation" else "params"]
        held[name] = NO_PART
    return genesis


def _limit(params: dict[str, Any], options: ChainOptions) -> None:
    params["block"]["max_gas"] = str(options.max_block_gas)
    params["block"]["max_bytes"] = str(options.max_block_bytes)
    params["evidence"]["max_age_num_blocks"] = str(options.evidence_blocks)
    params["evidence"]["max_age_duration"] = str(options.evidence_s * 1_000_000_000)


def _balances(validators: tuple[Validator, ...], options: ChainOptions) -> Balances:
    found: Balances = {address: dict(had) for address, had in options.balances.items()}
    for validator in validators:
        found[validator.operator] = dict(OPERATOR_RICHES)
    staked = sum(validator.power for validator in validators) * POWER
    found[module_address("not_bonded_tokens_pool")] = {STAKE: staked}
    return found


def _endow(state: dict[str, Any], balances: Balances) -> None:
    pool = module_address("not_bonded_tokens_pool")
    state["auth"]["accounts"] = [
        {
            "@type": "/cosmos.auth.v1beta1.BaseAccount",
            "address": address,
            "pub_key": None,
            "account_number": str(number),
            "sequence": "0",
        }
        for number, address in enumerate(a for a in balances if a != pool)
    ]
    state["bank"]["balances"] = [
        {
            "address": address,
            "coins": [{"denom": denom, "amount": str(had[denom])} for denom in sorted(had)],
        }
        for address, had in balances.items()
    ]


def _stake(
    staking: dict[str, Any], validators: tuple[Validator, ...], options: ChainOptions
) -> None:
    staking["params"]["unbonding_time"] = f"{options.unbonding_s}s"
    staking["validators"] = [_validator(number, one) for number, one in enumerate(validators)]
    staking["delegations"] = [
        {
            "delegator_address": validator.operator,
            "validator_address": operator_address(validator.operator),
            "shares": _shares(validator),
        }
        for validator in validators
    ]


def _validator(number: int, validator: Validator) -> dict[str, Any]:
    rates = {"rate": NO_PART, "max_rate": NO_PART, "max_change_rate": NO_PART}
    nothing = dict.fromkeys(("identity", "website", "security_contact", "details"), "")
    return {
        "operator_address": operator_address(validator.operator),
        "consensus_pubkey": {
            "@type": "/cosmos.crypto.ed25519.PubKey",
            "key": validator.public_key,
        },
        "jailed": False,
        "status": "BOND_STATUS_UNBONDED",
        "tokens": str(validator.power * POWER),
        "delegator_shares": _shares(validator),
        "description": {"moniker": f"node{number}", **nothing},
        "unbonding_height": "0",
        "unbonding_time": EPOCH,
        "commission": {"commission_rates": rates, "update_time": EPOCH},
        "min_self_delegation": "1",
        "unbonding_on_hold_ref_count": "0",
        "unbonding_ids": [],
    }


def _shares(validator: Validator) -> str:
    return f"{validator.power * POWER}.{'0' * 18}"
