"""Proofs on request: of what stands somewhere, and of what does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ydhub.relay.v1 import relay_pb2 as pb

from adapters.conformance import opening
from adapters.conformance.answers import demand_refusal, words
from adapters.conformance.check import check
from adapters.conformance.demand import demand, proven
from hub.core.errors import Reason
from hub.core.paths import client_state_key, counterparty_key, receipt_key
from hub.wire.headers import height_from_proto, height_to_proto

if TYPE_CHECKING:
    from adapters.conformance.exam import Exam
    from hub.core.height import Height

_NEVER = 2**40
"""A sequence that is not reached during an exam."""
_FAR = 1_000_000


@check("relay.proto, ProofRequest, ProofAnswer; ICS-23")
async def proofs(exam: Exam) -> None:
    """Each key's presence or absence is proven, in the order asked for, at the height asked for."""
    client = (await opening.bound(exam)).client
    keys = sorted([client_state_key(client), counterparty_key(client), receipt_key(client, _NEVER)])
    mirror = await exam.mirror(client)
    newest = exam.follower.newest
    at = newest.height.number if newest is not None else 0
    answer = await exam.prove(keys, at)
    demand(answer.HasField("proofs"), f"proofs at height {at}", words(answer))
    shown = answer.proofs
    height = await _header_of(exam, shown)
    demand(height.number == at, f"proofs at the height asked for, {at}", height)
    counts = (len(shown.values), len(shown.proofs))
    demand(counts == (3, 3), "a value and a proof for each of 3 keys", counts)
    _verify(exam, keys, shown, at)
    stands = [bool(value) for value in shown.values]
    wanted = [key != receipt_key(client, _NEVER) for key in keys]
    demand(stands == wanted, f"values where something stands: {wanted}", stands)
    demand(mirror.client == client, client, mirror.client)


@check("relay.proto, ProofRequest.height (0 means the newest)")
async def newest_proofs(exam: Exam) -> None:
    """Without a height the proof ends at a header that was shown, none older than those before."""
    client = (await opening.bound(exam)).client
    newest = exam.follower.newest
    before = newest.height.number if newest is not None else 0
    answer = await exam.prove([client_state_key(client)])
    demand(answer.HasField("proofs"), "a proof at the newest height", words(answer))
    height = await _header_of(exam, answer.proofs)
    demand(height.number >= before, f"a height from {before} on", height)
    _verify(exam, [client_state_key(client)], answer.proofs, height.number)


@check("design section 4, proof batches; relay.proto, ProofRequest.batch")
async def proof_batches(exam: Exam) -> None:
    """One proof batch shows all keys, if all are present; else there is no proof to be found."""
    client = (await opening.bound(exam)).client
    keys = sorted([client_state_key(client), counterparty_key(client)])
    answer = await exam.prove(keys, batch=True)
    demand(answer.HasField("proofs"), "one proof batch", words(answer))
    shown = answer.proofs
    height = await _header_of(exam, shown)
    counts = (len(shown.values), len(shown.proofs))
    demand(counts == (2, 1), "2 values and 1 proof", counts)
    follower = exam.follower
    with proven("a proof batch that verifies"):
        root, prefix = follower.state(height.number).root, follower.anchor.prefix
        leaves = list(zip(keys, shown.values, strict=True))
        follower.light_client.verify_batch(root, prefix, leaves, shown.proofs[0])
    answer = await exam.prove(sorted([*keys, receipt_key(client, _NEVER)]), batch=True)
    demand_refusal(answer, Reason.PROOF_NOT_FOUND)


@check("relay.proto, ProofRequest (keys rising, at most 256), Refusal")
async def bad_proof_requests(exam: Exam) -> None:
    """Unknown heights, and keys that do not rise, are none or too many, are refused as such."""
    client = (await opening.bound(exam)).client
    keys = sorted([client_state_key(client), counterparty_key(client)])
    session = await exam.attached()
    newest = exam.follower.newest
    if newest is not None:
        request = pb.ProofRequest(keys=keys, height=height_to_proto(newest.height))
        request.height.number += _FAR
        demand_refusal(await session.ask(proofs=request), Reason.HEADER_NOT_FOUND)
    answer = await exam.prove(keys[::-1])
    demand_refusal(answer, Reason.FRAME_INVALID)
    demand_refusal(await exam.prove([]), Reason.FRAME_INVALID)
    many = [receipt_key(client, _NEVER + number) for number in range(257)]
    demand_refusal(await exam.prove(many), Reason.LIMIT_EXCEEDED)


async def _header_of(exam: Exam, shown: pb.ProofAnswer) -> Height:
    """The height that *shown* ends at, whose header was shown before it. Raises ``Failed``."""
    with proven("proofs under a header that was shown before them, and verifies"):
        height = height_from_proto(shown.height)
        exam.follower.state(height.number)
    return height


def _verify(exam: Exam, keys: list[bytes], shown: pb.ProofAnswer, at: int) -> None:
    follower = exam.follower
    root, prefix = follower.state(at).root, follower.anchor.prefix
    client = follower.light_client
    for key, value, proof in zip(keys, shown.values, shown.proofs, strict=True):
        with proven(f"a proof of the key {key!r} that verifies"):
            if value:
                client.verify_membership(root, prefix, key, value, proof)
            else:
                client.verify_non_membership(root, prefix, key, proof)
