from __future__ import annotations

from adapters.simchain.ledger_answer import ledger_to_proto
from hub.wire.anchors import anchor_from_proto, anchor_to_proto
from hub.wire.packet import decode_packet
from tests.harness.anchors import make_anchor
from tests.harness.simcity import TwoCities


def test_an_anchor_is_what_others_read_back() -> None:
    assert anchor_from_proto(anchor_to_proto(make_anchor()), "anchor") == make_anchor()


async def test_the_ledger_tells_every_balance_and_every_effect_once() -> None:
    cities = await TwoCities().open()
    left, right = cities.left, cities.right
    await cities.send(left, 2)
    items = await cities.packets(left)
    await cities.receive(left, items[:1])
    await cities.acknowledge(left, (decode_packet(items[0].content),))

    source = ledger_to_proto(left.chain, totals_only=False)
    balances = {(one.account, one.denomination): one.amount for one in source.balances}
    assert balances["alice", "hangzhoucoin"] == 1_000_000 - 2
    assert balances[f"escrow:transfer/{left.client}", "hangzhoucoin"] == 2
    assert sum(balances.values()) == source.supplies[0].amount == 1_500_000
    assert list(source.clients) == [left.client]
    assert source.height == left.chain.height
    told = [(one.sequence, one.is_source, one.sent, one.acknowledged) for one in source.effects]
    assert told == [(1, True, 1, 1), (2, True, 1, 0)]

    target = ledger_to_proto(right.chain, totals_only=False)
    [effect] = target.effects
    assert (effect.sequence, effect.is_source, effect.executed) == (1, False, 1)
    assert not ledger_to_proto(left.chain, totals_only=True).effects
