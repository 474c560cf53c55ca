"""What is kept of a light client: its anchor, its options, its consensus states."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from hub.core.errors import AnchorInvalid, ClientActive, ClientPending

if TYPE_CHECKING:
    from hub.core.height import Height
    from hub.core.ids import ChainId, ClientId, PeerId
    from hub.core.time import Duration, Timestamp

DIGEST_BYTES = 32
MAX_PREFIX_ELEMENTS = 4


class ClientStatus(StrEnum):
    """Whether a client may be built on. Source: ibc-go exported/client.go, Status."""

    PENDING = "PENDING"
    """Waits for the header that its anchor names."""
    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"
    FROZEN = "FROZEN"


@dataclass(frozen=True, slots=True)
class Fraction:
    """A share of voting power; compared in integers only."""

    numerator: int
    denominator: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustOptions:
    """How far a client believes: set by the operator, never by a peer. Source: ICS-07."""

    trust_level: Fraction = Fraction(1, 3)
    """Share of the trusted set that must sign a skipping update; 1/3 to 1."""
    trusting_period: Duration
    """Nanoseconds after a consensus state's time within which it may be built on."""
    max_clock_drift: Duration
    """Nanoseconds that a header may be ahead of now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """An operator's own trusted starting point of a client; never taken from the hub."""

    client_type: str
    chain_id: ChainId
    height: Height
    header_hash: bytes
    next_validators_hash: bytes
    options: TrustOptions
    prefix: tuple[bytes, ...]
    """The commitment prefix: the store's name, then the key prefix within it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsensusState:
    """What is kept of one verified header."""

    height: Height
    header_hash: bytes
    time: Timestamp
    root: bytes
    next_validators_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """An untrusted claim about a block, in its family's canonical bytes."""

    content: bytes
    """The signed header; fields that no hash covers are not in it."""
    validators: bytes
    """The canonical bytes of the validator set that signed it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedHeader:
    """A header that its client has verified, and what is kept of it."""

    header: Header
    state: ConsensusState


@dataclass(frozen=True, slots=True, kw_only=True)
class HubClient:
    """The hub's one light client of a peer's chain."""

    peer: PeerId
    anchor: Anchor
    is_frozen: bool
    frozen_cause: str
    """Why it is frozen; empty while it is not."""
    latest: ConsensusState | None
    """The newest verified consensus state; None before the anchor's header."""
    verified_height: int = 0
    """Number of the highest header that was ever verified, also before a recovery; 0 of none."""

    @property
    def name(self) -> str:
        """The resource name, ``peers/{peer}/client``."""
        return f"peers/{self.peer}/client"

    @property
    def expires_at(self) -> int:
        """When trust ends unless a header comes (ns); 0 before the anchor's header."""
        return self.latest.time + self.anchor.options.trusting_period if self.latest else 0

    def status(self, now: Timestamp) -> ClientStatus:
        """Whether the client may be built on at *now*."""
        if self.is_frozen:
            return ClientStatus.FROZEN
        if self.latest is None:
            return ClientStatus.PENDING
        return ClientStatus.ACTIVE if now < self.expires_at else ClientStatus.EXPIRED

    def has_started(self, anchor: Anchor, now: Timestamp) -> bool:
        """Whether the client stands on *anchor* already, and needs no new one at *now*."""
        is_well = self.status(now) in {ClientStatus.PENDING, ClientStatus.ACTIVE}
        return is_well and self.anchor == anchor

    def recovery_detail(self, anchor: Anchor, now: Timestamp) -> str:
        """What a recovery to *anchor* at *now* changes, for the record."""
        was = f"{self.status(now)} {self.frozen_cause}".strip()
        new, old = anchor.header_hash.hex(), self.anchor.header_hash.hex()
        return f"from {anchor.height} {new}, was {self.anchor.height} {old}, {was}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainClient:
    """The hub's mirror of a light client that lives on a peer's chain, as proven last."""

    peer: PeerId
    """On whose chain it lives."""
    client: ClientId
    chain_id: ChainId
    """The chain that it verifies."""
    latest_height: Height
    is_frozen: bool
    options: TrustOptions
    counterparty: ClientId | None
    """The client at the other end; None while none is registered."""
    counterparty_prefix: tuple[bytes, ...]

    @property
    def name(self) -> str:
        """The resource name, ``peers/{peer}/clients/{native id}``."""
        return f"peers/{self.peer}/clients/{self.client}"


def check_recovery(client: HubClient, anchor: Anchor, now: Timestamp) -> None:
    """*client* may start again from *anchor*: it verifies the same chain in the same way, later.

    Only what is frozen, expired or still without its anchor's header at *now* starts again.
    Everything that was verified, also under an earlier anchor, lies below. Raises ``ClientActive``
    or ``AnchorInvalid``.

    Source: ibc-go 02-client, RecoverClient (no active client; the same parameters but for the
    trust options; a greater height).
    """
    check_anchor(anchor)
    if client.status(now) is ClientStatus.ACTIVE:
        raise ClientActive(client=client.name)
    for field in ("client_type", "chain_id", "prefix"):
        if getattr(anchor, field) != getattr(client.anchor, field):
            raise AnchorInvalid(field=field, problem="is not the client's, and stays as it is")
    if anchor.height.revision != client.anchor.height.revision:
        raise AnchorInvalid(field="height", problem="is of another revision of the chain")
    newest = max(client.anchor.height.number, client.verified_height)
    if anchor.height.number <= newest:
        raise AnchorInvalid(field="height", problem=f"is not above {newest}, verified before")


def check_began(client: str, anchor: Anchor, under: Anchor) -> None:
    """What was verified *under* an anchor counts for *client*, which starts from *anchor*.

    What was on its way while the client started again does not. Raises ``ClientPending``.
    """
    # A client never starts again from a height that it had: these two tell any two apart.
    if (under.height, under.header_hash) != (anchor.height, anchor.header_hash):
        raise ClientPending(client=client, height=anchor.height.number)


def check_anchor(anchor: Anchor) -> None:
    """*anchor* can start a client: digests of 32 bytes, none zero, options in range.

    Raises ``AnchorInvalid``.
    """
    for field in ("header_hash", "next_validators_hash"):
        digest: bytes = getattr(anchor, field)
        if len(digest) != DIGEST_BYTES or not any(digest):
            raise AnchorInvalid(field=field, problem="is not 32 bytes, or all zero")
    level = anchor.options.trust_level
    # Source: CometBFT light.ValidateTrustLevel, [1/3, 1].
    if not (level.denominator > 0 and level.numerator * 3 >= level.denominator):
        raise AnchorInvalid(field="trust_level", problem="is below 1/3")
    if level.numerator > level.denominator:
        raise AnchorInvalid(field="trust_level", problem="is above 1")
    if anchor.options.trusting_period <= 0:
        raise AnchorInvalid(field="trusting_period", problem="is not positive")
    if anchor.options.max_clock_drift < 0:
        raise AnchorInvalid(field="max_clock_drift", problem="is negative")
    if not 1 <= len(anchor.prefix) <= MAX_PREFIX_ELEMENTS or not anchor.prefix[0]:
        raise AnchorInvalid(field="prefix", problem="names no store")
