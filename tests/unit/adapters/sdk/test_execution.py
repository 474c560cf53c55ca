from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.sdk.execution import (
    Acknowledge,
    Action,
    Execution,
    Freeze,
    Gone,
    PassOver,
    Receive,
    TimeOut,
    UpdateStep,
)
from hub.core.client import Header
from hub.core.height import Height
from hub.core.ranges import RangeSet
from tests.harness.city import CLIENT
from tests.harness.packet_samples import ACKNOWLEDGEMENT, PACKET

STEP = UpdateStep(
    trusted_height=None, trusted_validators=b"", header=Header(content=b"h", validators=b"v")
)
TWO = (replace(PACKET, sequence=3), replace(PACKET, sequence=9))
RECEIVE = Receive(
    packets=TWO,
    contents=(b"3", b"9"),
    skipped=(),
    proof_height=Height(1, 7),
    proof_batch=b"",
)
ACKNOWLEDGE = Acknowledge(
    packets=TWO,
    contents=(b"3", b"9"),
    acknowledgements=(ACKNOWLEDGEMENT, ACKNOWLEDGEMENT),
    acknowledgement_contents=(b"a", b"a"),
    skipped=(),
    proof_height=Height(1, 7),
    proof_batch=b"",
)
PASS_OVER = PassOver(
    gone=(Gone(4, b""), Gone(6, b"")),
    next_sequence=7,
    next_sequence_proof=b"",
    proof_height=Height(1, 7),
)
TIME_OUT = TimeOut(packet=PACKET, content=b"5", proof_height=Height(1, 7), proof=b"")


@pytest.mark.parametrize(
    ("action", "sequences"),
    [
        (RECEIVE, [3, 9]),
        (ACKNOWLEDGE, [3, 9]),
        (TIME_OUT, [5]),
        (PASS_OVER, [4, 6]),
        (Freeze(first=STEP, second=STEP), []),
        (None, []),
    ],
)
def test_an_execution_concerns_the_sequences_of_its_action(
    action: Action | None, sequences: list[int]
) -> None:
    execution = Execution(
        execution_id=1,
        lane="",
        client=CLIENT,
        updates=(),
        action=action,
        possible_duplicate=False,
    )
    assert execution.sequences == RangeSet.of(sequences)
