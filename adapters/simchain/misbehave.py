"""A chain, or its adapter, that breaks the rules on demand: what it would show.

Nothing here changes the chain; its honest blocks go on. Whoever checks must refuse all of it, and
freeze on the equivocation, which only the chain's own validators can sign. What lasts a while and
tells no lie is in switches.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING

from adapters.simchain.blocks import LightBlock, sign
from adapters.simchain.events import PacketSent
from adapters.simchain.queries import prove_batch
from adapters.simchain.validators import signer, signer_set
from hub.core.errors import ProofNotFound
from hub.core.paths import commitment_key

if TYPE_CHECKING:
    from adapters.simchain.chain import Chain
    from adapters.simchain.queries import ProvenBatch
    from hub.core.ids import ClientId
    from hub.core.packet import Packet
    from hub.light_clients.cometbft.types import CometHeader


class Misbehaviour(StrEnum):
    """A way to break the rules."""

    EQUIVOCATE = "EQUIVOCATE"
    FORGE_HEADER = "FORGE_HEADER"
    FORGE_PROOF = "FORGE_PROOF"
    REPLAY = "REPLAY"
    WITHHOLD = "WITHHOLD"
    STALL = "STALL"
    REORDER = "REORDER"
    REFUSE = "REFUSE"


class Forgery(StrEnum):
    """What is wrong with a forged header."""

    TOO_FEW = "TOO_FEW"
    """Genuine validators signed, but not more than two thirds of the power."""
    UNKNOWN_SET = "UNKNOWN_SET"
    """A set of the forger's own signed, and the header names that set."""
    WRONG_KEYS = "WRONG_KEYS"
    """The header names the genuine set, but other keys signed."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Packets and the proof that they were committed to, as an adapter shows them."""

    packets: tuple[Packet, ...]
    proof_height: int
    batch: ProvenBatch


def equivocate(chain: Chain, height: int) -> LightBlock:
    """A second block at *height*, signed by all its validators. Raises ``HeaderNotFound``."""
    block = chain.light_block(height)
    return LightBlock(sign(_other_header(block), block.signers), block.signers)


def forge_header(chain: Chain, height: int, forgery: Forgery) -> LightBlock:
    """A block at *height* that its chain never decided. Raises ``HeaderNotFound``."""
    block = chain.light_block(height)
    genuine, header = block.signers, _other_header(block)
    if forgery is Forgery.TOO_FEW:
        missing, power = [], 0
        for one in genuine.signers:
            if (genuine.total - power) * 3 <= genuine.total * 2:
                break
            missing.append(one.address)
            power += one.validator.power
        return LightBlock(sign(header, genuine, absent=missing), genuine)
    seed = b"forger of " + chain.config.seed
    strangers = [
        signer(seed, number, one.validator.power) for number, one in enumerate(genuine.signers)
    ]
    if forgery is Forgery.UNKNOWN_SET:
        own = signer_set(strangers)
        return LightBlock(sign(replace(header, validators_hash=own.hash), own), own)
    pairs = zip(genuine.signers, strangers, strict=True)
    masked = replace(
        genuine, signers=tuple([replace(one, key=stranger.key) for one, stranger in pairs])
    )
    return LightBlock(sign(header, masked), genuine)


def forge_batch(batch: bytes) -> bytes:
    """*batch*, whole in form, with one bit of one sibling turned."""
    depth = batch[0]
    at = 1 + depth if depth else len(batch) - 1
    return batch[:at] + bytes((batch[at] ^ 1,)) + batch[at + 1 :]


def forge_packet(packet: Packet) -> Packet:
    """*packet* as its chain never committed to it: it lives longer."""
    return replace(packet, timeout_timestamp=packet.timeout_timestamp + 1)


def replay(chain: Chain, client: ClientId, height: int) -> Shown:
    """The packets, at most 256, that block *height* sent over *client*, proven as they were then.

    Raises ``ProofNotFound`` or ``HeaderNotFound``.
    """
    block = chain.block(height)
    packets = [
        event.packet
        for event in (block.events if block else ())
        if isinstance(event, PacketSent) and event.packet.source_client == client
    ][:256]
    if not packets:
        raise ProofNotFound(name=f"packets of {client} in block {height}", kind="commitment")
    keys = [commitment_key(client, packet.sequence) for packet in packets]
    return Shown(tuple(packets), height + 1, prove_batch(chain, keys, height + 1))


def _other_header(block: LightBlock) -> CometHeader:
    """The header of *block* with another state."""
    header = block.signed.header
    return replace(header, app_hash=sha256(b"another state" + header.app_hash).digest())
