from __future__ import annotations

import pytest

from adapters.simchain.application import ERROR_ACKNOWLEDGEMENT
from adapters.simchain.events import (
    ClientUpdated,
    Event,
    MisbehaviourFound,
    PacketAcknowledged,
    PacketExpired,
    PacketReceived,
    PacketSent,
    PacketTimedOut,
    SequencePassedOver,
    TokensRefunded,
)
from adapters.simchain.ledger import Answer, Effects, Ledger, SentPacket
from hub.core.errors import FieldInvalid
from hub.core.height import Height
from hub.core.ids import ClientId, PortId
from hub.core.packet import Acknowledgement, Packet, Payload

HERE, THERE = ClientId("07-tendermint-1"), ClientId("07-tendermint-2")
PAYLOAD = Payload(
    source_port=PortId("transfer"),
    destination_port=PortId("transfer"),
    version="v",
    encoding="e",
    value=b"x",
)
ANSWER = Acknowledgement((b"yes",))
SENT = Packet(
    sequence=3,
    source_client=HERE,
    destination_client=THERE,
    timeout_timestamp=9,
    payloads=(PAYLOAD,),
)
CAME = Packet(
    sequence=4,
    source_client=THERE,
    destination_client=HERE,
    timeout_timestamp=9,
    payloads=(PAYLOAD,),
)
EXECUTED = PacketReceived(CAME, ANSWER, None)
REFUSED = PacketReceived(
    CAME, ERROR_ACKNOWLEDGEMENT, FieldInvalid(field="receiver", problem="is nobody")
)


def ledger_of(*events: Event) -> Ledger:
    ledger = Ledger()
    ledger.record(7, events)
    return ledger


def test_sent_packet_is_kept_until_it_is_done_with() -> None:
    ledger = ledger_of(PacketSent(SENT))
    assert list(ledger.pending(HERE)) == [SentPacket(SENT, 7)]
    assert list(ledger.pending(THERE)) == []
    ledger.record(8, [PacketAcknowledged(SENT, ANSWER)])
    assert list(ledger.pending(HERE)) == []


def test_answer_is_kept_for_good() -> None:
    ledger = ledger_of(EXECUTED)
    assert ledger.answer(HERE, 4) == Answer(ANSWER, 7)
    assert ledger.answer(HERE, 5) is None
    assert ledger.answer(THERE, 4) is None


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([PacketSent(SENT)], Effects(sent=1)),
        ([PacketSent(SENT), PacketAcknowledged(SENT, ANSWER)], Effects(sent=1, acknowledged=1)),
        (
            [PacketSent(SENT), PacketTimedOut(SENT), TokensRefunded(HERE, 3)],
            Effects(sent=1, timed_out=1, refunded=1),
        ),
        (
            [
                PacketSent(SENT),
                PacketAcknowledged(SENT, ERROR_ACKNOWLEDGEMENT),
                TokensRefunded(HERE, 3),
            ],
            Effects(sent=1, acknowledged=1, refunded=1),
        ),
    ],
)
def test_what_was_done_for_a_sent_packet_is_counted(events: list[Event], expected: Effects) -> None:
    ledger = ledger_of(*events)
    assert ledger.outgoing[HERE].effects == {3: expected}
    assert list(ledger.violations()) == []


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (EXECUTED, Effects(executed=1)),
        (REFUSED, Effects(refused=1)),
        (PacketExpired(CAME), Effects(expired=1)),
        (SequencePassedOver(CAME.destination_client, CAME.sequence), Effects(expired=1)),
    ],
)
def test_what_was_done_for_a_received_packet_is_counted(event: Event, expected: Effects) -> None:
    ledger = ledger_of(event)
    assert ledger.incoming[HERE].effects == {4: expected}
    assert list(ledger.violations()) == []


@pytest.mark.parametrize(
    "events",
    [
        [EXECUTED, EXECUTED],
        [EXECUTED, REFUSED],
        [EXECUTED, PacketExpired(CAME)],
        [PacketSent(SENT), PacketSent(SENT)],
        [PacketAcknowledged(SENT, ANSWER)],
        [PacketSent(SENT), PacketAcknowledged(SENT, ANSWER), PacketTimedOut(SENT)],
        [PacketSent(SENT), PacketAcknowledged(SENT, ANSWER), PacketAcknowledged(SENT, ANSWER)],
        [PacketSent(SENT), TokensRefunded(HERE, 3)],
        [
            PacketSent(SENT),
            PacketTimedOut(SENT),
            TokensRefunded(HERE, 3),
            TokensRefunded(HERE, 3),
        ],
    ],
)
def test_effect_twice_or_two_that_exclude_each_other_show(events: list[Event]) -> None:
    assert len(list(ledger_of(*events).violations())) == 1


def test_misbehaviour_is_kept_and_other_events_are_no_effects() -> None:
    found = MisbehaviourFound(HERE, "two headers", ())
    ledger = ledger_of(found, ClientUpdated(HERE, Height(1, 5)))
    assert ledger.evidence == [found]
    assert ledger.outgoing == ledger.incoming == {}
