"""The chain's own ledger and anchor, as its users and operators are told of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ydhub.client.v1 import client_pb2
from ydhub.simchain.v1 import simchain_service_pb2 as pb

from adapters.simchain import bank
from adapters.simchain.queries import clients
from hub.wire.frames import height_to_proto
from hub.wire.times import duration_to_proto

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from adapters.simchain.chain import Chain
    from hub.core.client import Anchor


def ledger_to_proto(chain: Chain, *, totals_only: bool) -> pb.GetLedgerResponse:
    """Everything that *chain* holds, as of its newest block; without packets if *totals_only*."""
    store = chain.stores[bank.STORE]
    return pb.GetLedgerResponse(
        chain_id=chain.config.chain_id,
        height=chain.height,
        balances=_balances(bank.balances(store)),
        supplies=_balances(bank.supplies(store)),
        effects=[] if totals_only else _effects(chain),
        clients=clients(chain),
    )


def anchor_to_proto(anchor: Anchor) -> client_pb2.Anchor:
    """*anchor* as a message."""
    options = anchor.options
    return client_pb2.Anchor(
        client_type=anchor.client_type,
        chain_id=anchor.chain_id,
        height=height_to_proto(anchor.height),
        header_hash=anchor.header_hash,
        next_validators_hash=anchor.next_validators_hash,
        options=client_pb2.TrustOptions(
            trust_level_numerator=options.trust_level.numerator,
            trust_level_denominator=options.trust_level.denominator,
            trusting_period=duration_to_proto(options.trusting_period),
            max_clock_drift=duration_to_proto(options.max_clock_drift),
        ),
        prefix=anchor.prefix,
    )


def _balances(found: Iterable[bank.Balance]) -> list[pb.Balance]:
    return [
        pb.Balance(account=one.account, denomination=one.denomination, amount=one.amount)
        for one in found
    ]


def _effects(chain: Chain) -> Iterator[pb.PacketEffects]:
    for client, lane in chain.ledger.outgoing.items():
        for sequence, one in lane.effects.items():
            yield pb.PacketEffects(
                client=client,
                sequence=sequence,
                is_source=True,
                sent=one.sent,
                acknowledged=one.acknowledged,
                refunded=one.refunded,
                timed_out=one.timed_out,
            )
    for client, lane in chain.ledger.incoming.items():
        for sequence, one in lane.effects.items():
            yield pb.PacketEffects(client=client, sequence=sequence, executed=one.executed)
