"""Failures on the wire: the one table from categories to gRPC codes, and the one way back.

Whoever serves calls ``to_status``; whoever calls reads a failed call with ``from_rpc_error``.
What is no ``HubError`` is a bug: it becomes INTERNAL with the request's id, and nothing else of it
leaves the process.

Source: AIP-193 (ErrorInfo always), AIP-194 (what may be retried); google/rpc/error_details.proto.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from google.protobuf.duration_pb2 import Duration as ProtoDuration
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, error_details_pb2, status_pb2

from hub.core.errors import (
    DOMAIN,
    Conflict,
    Corrupt,
    CredentialsMissing,
    Exhausted,
    HubError,
    LostRace,
    Malformed,
    NotAllowed,
    NotFound,
    RateLimited,
    Reason,
    StateForbids,
    Unavailable,
    Unsupported,
    VerificationFailed,
)
from hub.core.time import MILLISECOND, SECOND, Duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from google.protobuf.message import Message

DETAILS_KEY: Final = "grpc-status-details-bin"
"""The trailing metadata that carries a ``google.rpc.Status``. Source: gRPC, status details."""

_INTERNAL: Final[int] = code_pb2.INTERNAL

MAX_MESSAGE: Final = 384
MAX_VALUE: Final = 256
"""Bytes: a status with all its details must fit into 8 KiB of metadata, gRPC's own limit."""
RETRY_DELAY: Final = SECOND
"""How long to wait where a failure does not say it better (ns)."""

_CODES: Final[tuple[tuple[type[HubError], int], ...]] = (
    (CredentialsMissing, code_pb2.UNAUTHENTICATED),
    (Malformed, code_pb2.INVALID_ARGUMENT),
    (VerificationFailed, code_pb2.FAILED_PRECONDITION),
    (StateForbids, code_pb2.FAILED_PRECONDITION),
    (NotFound, code_pb2.NOT_FOUND),
    (Conflict, code_pb2.ALREADY_EXISTS),
    (LostRace, code_pb2.ABORTED),
    (NotAllowed, code_pb2.PERMISSION_DENIED),
    (Exhausted, code_pb2.RESOURCE_EXHAUSTED),
    (Unavailable, code_pb2.UNAVAILABLE),
    (Corrupt, code_pb2.DATA_LOSS),
    (Unsupported, code_pb2.UNIMPLEMENTED),
)
"""The first category that fits decides."""

_SUBJECTS: Final = ("name", "client", "lane", "peer", "route")
"""Fields that name what a failure is about, the first found."""


def code_of(error: BaseException) -> int:
    """The ``google.rpc.Code`` of *error*; INTERNAL for what is not a ``HubError``."""
    for category, code in _CODES:
        if isinstance(error, category):
            return code
    return _INTERNAL


def to_status(error: BaseException, request_id: str) -> status_pb2.Status:
    """The status that tells a caller of *error*."""
    request = error_details_pb2.RequestInfo(request_id=request_id)
    if not isinstance(error, HubError):
        info = error_details_pb2.ErrorInfo(reason=Reason.INTERNAL, domain=DOMAIN)
        return _status(
            code_pb2.INTERNAL, "internal error; the request id finds its log line", (info, request)
        )
    metadata = {key: _cut(value, MAX_VALUE) for key, value in error.metadata.items()}
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)
    message = _cut(str(error), MAX_MESSAGE)
    return _status(code_of(error), message, (info, *_details(error, message, metadata), request))


@dataclass(eq=False)
class RemoteError(Exception):
    """A call to another process failed."""

    code: str
    """The gRPC code's name, as ``NOT_FOUND``."""
    reason: Reason | None
    """None where the failure is not the hub's own (no connection, deadline), or newer than us."""
    message: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    retry_after: Duration | None = None
    """How long to wait before trying again (ns), where the other side said so."""
    request_id: str = ""

    def __str__(self) -> str:
        return f"{self.reason or self.code}: {self.message}"

    @property
    def is_retryable(self) -> bool:
        """Whether the same call may simply be made again. Source: AIP-194."""
        return self.code == "UNAVAILABLE"


class _Code(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def value(self) -> tuple[int, str]: ...


class RpcError(Protocol):
    """What is read of a failed call: ``grpc.aio.AioRpcError``, or a sync call that is an error."""

    def code(self) -> _Code | None:
        """How it failed."""
        ...

    def details(self) -> str | None:
        """What it says."""
        ...

    def trailing_metadata(self) -> Iterable[tuple[str, str | bytes]] | None:
        """What came with its end."""
        ...


def from_rpc_error(error: RpcError) -> RemoteError:
    """What the failed call told; a status that contradicts the call's own code is not believed."""
    code = error.code()
    name, number = (code.name, code.value[0]) if code is not None else ("UNKNOWN", 2)
    status = _sent_status(error, number)
    if status is None:
        return RemoteError(code=name, reason=None, message=error.details() or name)
    found = RemoteError(code=name, reason=None, message=status.message)
    try:
        _read_details(status, found)
    except DecodeError:
        return RemoteError(code=name, reason=None, message=error.details() or name)
    return found


def _read_details(status: status_pb2.Status, found: RemoteError) -> None:
    info = error_details_pb2.ErrorInfo()
    request = error_details_pb2.RequestInfo()
    retry = error_details_pb2.RetryInfo()
    for detail in status.details:
        if detail.Unpack(info) and info.domain == DOMAIN:
            found.metadata = dict(info.metadata)
            found.reason = Reason(info.reason) if info.reason in _REASONS else None
        elif detail.Unpack(request):
            found.request_id = request.request_id
        elif detail.Unpack(retry):
            found.retry_after = Duration(retry.retry_delay.ToNanoseconds())


_REASONS: Final = frozenset(reason.value for reason in Reason)


def _sent_status(error: RpcError, code: int) -> status_pb2.Status | None:
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                status = status_pb2.Status.FromString(value)
            except DecodeError:
                return None
            return status if status.code == code else None
    return None


def _details(error: HubError, message: str, metadata: Mapping[str, str]) -> tuple[Message, ...]:
    """What the category says beside its reason."""
    subject = next((metadata[key] for key in _SUBJECTS if key in metadata), "")
    match error:
        case Malformed():
            violation = error_details_pb2.BadRequest.FieldViolation(
                field=metadata.get("field", ""), description=message, reason=error.reason
            )
            return (error_details_pb2.BadRequest(field_violations=[violation]),)
        case VerificationFailed() | StateForbids():
            failed = error_details_pb2.PreconditionFailure.Violation(
                type=error.reason, subject=subject, description=message
            )
            return (error_details_pb2.PreconditionFailure(violations=[failed]),)
        case NotFound() | Conflict():
            kind = error.reason.partition("_")[0].lower()
            return (error_details_pb2.ResourceInfo(resource_type=kind, resource_name=subject),)
        case Exhausted() | Unavailable():
            return (error_details_pb2.RetryInfo(retry_delay=_delay(error)),)
        case _:
            return ()


def _delay(error: HubError) -> ProtoDuration:
    delay = error.wait_ms * MILLISECOND if isinstance(error, RateLimited) else RETRY_DELAY
    wire = ProtoDuration()
    wire.FromNanoseconds(delay)
    return wire


def _cut(text: str, limit: int) -> str:
    return text.encode("utf-8", "replace")[:limit].decode("utf-8", "ignore")


def _status(code: int, message: str, details: Iterable[Message]) -> status_pb2.Status:
    status = status_pb2.Status(code=code, message=message)
    for detail in details:
        status.details.add().Pack(detail)
    return status
