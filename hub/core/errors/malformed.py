"""Input that is wrong in itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hub.core.errors.base import Malformed
from hub.core.errors.reasons import Reason


@dataclass(kw_only=True, eq=False)
class FieldInvalid(Malformed):
    """A field of a request breaks its own rule."""

    reason: ClassVar[Reason] = Reason.FIELD_INVALID
    template: ClassVar[str] = "{field} {problem}"

    field: str
    problem: str


@dataclass(kw_only=True, eq=False)
class IdentifierInvalid(Malformed):
    """An identifier does not have the form its kind demands."""

    reason: ClassVar[Reason] = Reason.IDENTIFIER_INVALID
    template: ClassVar[str] = "{value!r} is not a {kind}: {rule}"

    kind: str
    value: str
    rule: str


@dataclass(kw_only=True, eq=False)
class HeightInvalid(Malformed):
    """A height is zero, negative or beyond 64 bits."""

    reason: ClassVar[Reason] = Reason.HEIGHT_INVALID
    template: ClassVar[str] = "height {revision}-{number} is not positive, or beyond 64 bits"

    revision: int
    number: int


@dataclass(kw_only=True, eq=False)
class PacketInvalid(Malformed):
    """A packet or acknowledgement breaks a rule of ICS-04 v2."""

    reason: ClassVar[Reason] = Reason.PACKET_INVALID
    template: ClassVar[str] = "packet field {field} {problem}"

    field: str
    problem: str


@dataclass(kw_only=True, eq=False)
class PayloadTooLarge(Malformed):
    """A payload is over its limit of bytes."""

    reason: ClassVar[Reason] = Reason.PAYLOAD_TOO_LARGE
    template: ClassVar[str] = "payload of {size} bytes is over the limit of {limit}"

    size: int
    limit: int


@dataclass(kw_only=True, eq=False)
class TimeoutInvalid(Malformed):
    """A timeout (seconds) lies outside the bounds of its route."""

    reason: ClassVar[Reason] = Reason.TIMEOUT_INVALID
    template: ClassVar[str] = "timeout {timeout} s is outside {earliest} to {latest} s"

    timeout: int
    earliest: int
    latest: int


@dataclass(kw_only=True, eq=False)
class HeaderUnparseable(Malformed):
    """Bytes are not the canonical encoding of a header or validator set."""

    reason: ClassVar[Reason] = Reason.HEADER_UNPARSEABLE
    template: ClassVar[str] = "{what}: {problem}"

    what: str
    problem: str


@dataclass(kw_only=True, eq=False)
class ProofUnparseable(Malformed):
    """Bytes are not the canonical encoding of a proof."""

    reason: ClassVar[Reason] = Reason.PROOF_UNPARSEABLE
    template: ClassVar[str] = "{what}: {problem}"

    what: str
    problem: str


@dataclass(kw_only=True, eq=False)
class EncodingNotCanonical(Malformed):
    """Bytes decode, but encode again to other bytes; unknown fields count as this."""

    reason: ClassVar[Reason] = Reason.ENCODING_NOT_CANONICAL
    template: ClassVar[str] = "{what} is not in canonical form"

    what: str


@dataclass(kw_only=True, eq=False)
class FrameInvalid(Malformed):
    """A stream frame breaks the session protocol."""

    reason: ClassVar[Reason] = Reason.FRAME_INVALID
    template: ClassVar[str] = "frame {frame}: {problem}"

    frame: str
    problem: str


@dataclass(kw_only=True, eq=False)
class LimitExceeded(Malformed):
    """Input asks for more work or memory than is ever allowed."""

    reason: ClassVar[Reason] = Reason.LIMIT_EXCEEDED
    template: ClassVar[str] = "{what}: {count} is over the limit of {limit}"

    what: str
    count: int
    limit: int


@dataclass(kw_only=True, eq=False)
class AnchorInvalid(Malformed):
    """An anchor cannot start a client."""

    reason: ClassVar[Reason] = Reason.ANCHOR_INVALID
    template: ClassVar[str] = "anchor field {field} {problem}"

    field: str
    problem: str


@dataclass(kw_only=True, eq=False)
class PageTokenInvalid(Malformed):
    """A page token was not issued for this list."""

    reason: ClassVar[Reason] = Reason.PAGE_TOKEN_INVALID
    template: ClassVar[str] = "page token {token!r} was not issued for this list"

    token: str
