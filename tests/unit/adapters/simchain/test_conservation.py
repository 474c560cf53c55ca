"""Two chains under a relayer that does everything it can, in any order and again.

Whatever it does: no effect twice, executed XOR refunded, and not one unit made or lost.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from adapters.simchain import bank
from adapters.simchain.ledger import Effects, Lane
from adapters.simchain.messages import Effect
from adapters.simchain.misbehave import forge_packet
from adapters.simchain.transfer import escrow_account
from adapters.simchain.transfer_data import TransferData, decode_transfer, hop
from hub.core.errors import ProofNotFound
from tests.harness.simchain import TRANSFER, Path, holds, path_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.simchain.chain import Chain
    from adapters.simchain.messages import Message
    from hub.core.packet import Packet

SIDES = st.sampled_from(["left", "right"])
OPPOSITE = {"left": "right", "right": "left"}
PICKS = st.sets(st.integers(0, 30), min_size=1, max_size=6)


class Relaying(RuleBasedStateMachine):
    """A relayer between two chains whose clients are an unordered pair."""

    ordered = False

    def __init__(self) -> None:
        super().__init__()
        self.path: Path = path_of().open(ordered=self.ordered)
        self.packets: dict[str, list[Packet]] = {"left": [], "right": []}
        self.used: list[tuple[str, Message]] = []

    def chain(self, side: str) -> Chain:
        chain: Chain = getattr(self.path, side)
        return chain

    @rule(
        side=SIDES,
        amount=st.integers(1, 400_000),
        home=st.booleans(),
        timeout=st.integers(2, 30),
        receiver=st.sampled_from(["bob", "carol", "no account"]),
    )
    def send(
        self,
        side: str,
        amount: int,
        home: bool,  # noqa: FBT001 - drawn
        timeout: int,
        receiver: str,
    ) -> None:
        chain, other = self.chain(side), self.chain(OPPOSITE[side])
        denomination = chain.config.balances[0].denomination
        if home:
            trace = hop(TRANSFER, self.path.client(chain))
            denomination = trace + other.config.balances[0].denomination
        sender = "bob" if home else "alice"
        data = TransferData(
            denomination=denomination, amount=amount, sender=sender, receiver=receiver
        )
        before = holds(chain, sender, denomination)
        result = self.path.run(chain, self.path.transfer(chain, data, timeout), signer=sender)
        assert (result.error is None) == (before >= amount)
        if result.error is None:
            self.packets[side].append(result.events[0].packet)  # type: ignore[union-attr]

    @rule(seconds=st.integers(1, 12))
    def wait(self, seconds: int) -> None:
        self.path.advance(seconds)

    @precondition(lambda self: any(self.packets.values()))
    @rule(side=SIDES, picks=PICKS, age=st.integers(0, 8))
    def receive(self, side: str, picks: set[int], age: int) -> None:
        chosen = self.chosen(side, picks)
        height = max(self.chain(side).height - age, 2)
        if chosen:
            self.try_to(OPPOSITE[side], lambda: self.path.receive(self.chain(side), chosen, height))

    @precondition(lambda self: any(self.packets.values()))
    @rule(side=SIDES, picks=PICKS)
    def acknowledge(self, side: str, picks: set[int]) -> None:
        client = self.path.client(self.chain(OPPOSITE[side]))
        ledger = self.chain(OPPOSITE[side]).ledger
        chosen = [p for p in self.chosen(side, picks) if ledger.answer(client, p.sequence)]
        if chosen:
            self.try_to(side, lambda: self.path.acknowledge(self.chain(side), chosen))

    @precondition(lambda self: any(self.packets.values()))
    @rule(side=SIDES, pick=st.integers(0, 30))
    def time_out(self, side: str, pick: int) -> None:
        chosen = self.chosen(side, {pick})
        if chosen:
            self.try_to(side, lambda: self.path.time_out(self.chain(side), chosen[0]))

    @precondition(lambda self: any(self.packets.values()))
    @rule(side=SIDES, pick=st.integers(0, 30))
    def receive_and_then_time_out(self, side: str, pick: int) -> None:
        self.receive(side, {pick}, 0)
        self.path.advance(31)
        self.path.advance()
        self.time_out(side, pick)

    @precondition(lambda self: any(self.packets.values()))
    @rule(side=SIDES, pick=st.integers(0, 30))
    def forge(self, side: str, pick: int) -> None:
        for packet in self.chosen(side, {pick}):
            try:
                genuine = self.path.receive(self.chain(side), [packet])
            except ProofNotFound:
                return
            forged = replace(genuine, packets=(forge_packet(packet),))
            result = self.path.deliver(self.chain(OPPOSITE[side]), forged)
            assert Effect.EXECUTED not in [outcome.effect for outcome in result.outcomes]

    @precondition(lambda self: self.used)
    @rule(pick=st.integers(0, 100))
    def replay(self, pick: int) -> None:
        side, message = self.used[pick % len(self.used)]
        self.path.run(self.chain(side), message)

    @invariant()
    def no_chain_saw_an_effect_twice(self) -> None:
        for side in OPPOSITE:
            assert list(self.chain(side).ledger.violations()) == []

    @invariant()
    def no_packet_is_both_executed_and_refunded(self) -> None:
        for side, packets in self.packets.items():
            for packet in packets:
                assert sum(self.ends(side, packet)) <= 1

    @invariant()
    def not_one_unit_is_made_or_lost(self) -> None:
        for side in OPPOSITE:
            self.check_tokens(side)

    def teardown(self) -> None:
        """Everything that is left to do is done; then nothing is open, and all is accounted for."""
        self.path.advance(40)
        self.path.advance()
        for side in OPPOSITE:
            if self.ordered:
                self.skip_all(side)
            for packet in list(self.packets[side]):
                if self.stands(side, packet):
                    self.finish(side, packet)
        for side, packets in self.packets.items():
            assert not list(self.chain(side).ledger.pending(self.path.client(self.chain(side))))
            for packet in packets:
                assert sum(self.ends(side, packet)) == 1
            self.check_tokens(side)

    def finish(self, side: str, packet: Packet) -> None:
        """The one end that *packet* can still have is proven and executed."""
        chain, other = self.chain(side), self.chain(OPPOSITE[side])
        answered = other.ledger.answer(self.path.client(other), packet.sequence) is not None
        message: Message
        if answered:
            message = self.path.acknowledge(chain, [packet])
        else:
            message = self.path.time_out(chain, packet)
        result = self.path.deliver(chain, message)
        assert [outcome.effect for outcome in result.outcomes] == [Effect.EXECUTED]

    def skip_all(self, side: str) -> None:
        """The ordered gateway passes over what came too late."""
        waiting = [packet for packet in self.packets[side] if self.stands(side, packet)]
        if waiting:
            self.path.deliver(
                self.chain(OPPOSITE[side]), self.path.receive(self.chain(side), waiting)
            )
            self.path.advance()

    def try_to(self, side: str, make: Callable[[], Message]) -> None:
        """What *make* makes is done on the chain at *side*, if it can be proven at all."""
        try:
            message = make()
        except ProofNotFound:
            return
        self.used.append((side, message))
        self.path.deliver(self.chain(side), message)

    def chosen(self, side: str, picks: set[int]) -> list[Packet]:
        packets = self.packets[side]
        places = sorted({pick % len(packets) for pick in picks}) if packets else []
        return [packets[place] for place in places]

    def stands(self, side: str, packet: Packet) -> bool:
        """Whether the source still commits to *packet*."""
        pending = self.chain(side).ledger.pending(packet.source_client)
        return packet.sequence in {one.packet.sequence for one in pending}

    def ends(self, side: str, packet: Packet) -> tuple[int, int]:
        """How often *packet* was executed over there, and refunded here, by the chains' ledgers."""
        there = self.chain(OPPOSITE[side]).ledger.incoming.get(packet.destination_client, Lane())
        here = self.chain(side).ledger.outgoing[packet.source_client]
        executed = there.effects.get(packet.sequence, Effects()).executed
        return executed, here.effects[packet.sequence].refunded

    def check_tokens(self, side: str) -> None:
        """Of the token of the chain at *side*, all that is in escrow is abroad or under way."""
        chain, other = self.chain(side), self.chain(OPPOSITE[side])
        native = chain.config.balances[0].denomination
        voucher = hop(TRANSFER, self.path.client(other)) + native
        listed = [b for b in bank.balances(chain.stores["bank"]) if b.denomination == native]
        assert bank.supply(chain.state, native) == sum(b.amount for b in listed) == 1_500_000
        escrow = holds(chain, escrow_account(TRANSFER, self.path.client(chain)), native)
        under_way = sum(
            decode_transfer(packet.payloads[0]).amount
            for at, packets in self.packets.items()
            for packet in packets
            if decode_transfer(packet.payloads[0]).denomination in {native, voucher}
            and not any(self.ends(at, packet))
        )
        assert escrow == bank.supply(other.state, voucher) + under_way


class OrderedRelaying(Relaying):
    """The same between an ordered pair: nothing is executed out of order."""

    ordered = True

    @precondition(lambda self: any(self.packets.values()))
    @rule(side=SIDES, picks=PICKS)
    def pass_over(self, side: str, picks: set[int]) -> None:
        gone = [p.sequence for p in self.chosen(side, picks) if not self.stands(side, p)]
        self.path.advance()
        if gone:
            self.try_to(OPPOSITE[side], lambda: self.path.pass_over(self.chain(side), *gone))

    @invariant()
    def order_holds(self) -> None:
        for side in OPPOSITE:
            client = self.path.client(self.chain(side))
            lane = self.chain(side).ledger.incoming.get(client, Lane())
            assert list(lane.effects) == list(range(1, len(lane.effects) + 1))


SETTINGS = settings(max_examples=40, stateful_step_count=30, deadline=None, derandomize=True)
TestRelaying = Relaying.TestCase
TestRelaying.settings = SETTINGS
TestOrderedRelaying = OrderedRelaying.TestCase
TestOrderedRelaying.settings = SETTINGS
