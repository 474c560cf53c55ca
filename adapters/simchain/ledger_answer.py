"""The chain's own ledger and anchor, as its users and operators are told of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ydhub.simchain.v1 import simchain_service_pb2 as pb

from adapters.simchain import bank
from adapters.simchain.queries import clients

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from adapters.simchain.chain import Chain


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
