from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import grpc
import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2

from hub.core import errors
from hub.core.errors import (
    AdapterOffline,
    ClientFrozen,
    CredentialsMissing,
    FieldInvalid,
    HubError,
    IdentityNotAllowed,
    LeaseLost,
    PeerNotFound,
    RateLimited,
    Reason,
    RecordCorrupt,
)
from hub.core.time import SECOND
from hub.wire.status import DETAILS_KEY, RemoteError, code_of, from_rpc_error, to_status

LEAVES = [
    found
    for _, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, HubError) and hasattr(found, "reason")
]


def sample(leaf: type[HubError], text: str = "text") -> HubError:
    values: dict[str, Any] = {
        field.name: 7 if field.type == "int" else text for field in dataclasses.fields(leaf)
    }
    return leaf(**values)


def failed(status: status_pb2.Status, code: grpc.StatusCode | None = None) -> grpc.aio.AioRpcError:
    codes = {found.value[0]: found for found in grpc.StatusCode}
    trailing = grpc.aio.Metadata((DETAILS_KEY, status.SerializeToString()))
    return grpc.aio.AioRpcError(
        code or codes[status.code], grpc.aio.Metadata(), trailing, status.message, "debug"
    )


def read(error: grpc.aio.AioRpcError) -> RemoteError:
    return from_rpc_error(error)


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.__name__)
def test_every_error_comes_back_with_its_reason_message_and_fields(leaf: type[HubError]) -> None:
    error = sample(leaf)
    found = read(failed(to_status(error, "r-1")))
    assert found.reason is leaf.reason
    assert found.message == str(error)
    assert found.metadata == error.metadata
    assert found.request_id == "r-1"


def test_every_reason_but_that_of_a_bug_has_a_class() -> None:
    assert {leaf.reason for leaf in LEAVES} == set(Reason) - {Reason.INTERNAL}


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.__name__)
def test_no_error_is_too_long_for_the_metadata_of_a_call(leaf: type[HubError]) -> None:
    status = to_status(sample(leaf, "杭" * 100_000), "r" * 64)
    # The details travel as base64, the message once more in percent encoding.
    assert len(status.SerializeToString()) * 4 // 3 + 3 * len(status.message.encode()) < 8000


def test_text_that_is_no_unicode_still_travels() -> None:
    error = PeerNotFound(name="peers/\udcff")
    assert read(failed(to_status(error, ""))).metadata == {"name": "peers/?"}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FieldInvalid(field="f", problem="p"), "INVALID_ARGUMENT"),
        (ClientFrozen(client="c", cause="x"), "FAILED_PRECONDITION"),
        (sample(errors.RootMismatch), "FAILED_PRECONDITION"),
        (PeerNotFound(name="n"), "NOT_FOUND"),
        (sample(errors.PeerExists), "ALREADY_EXISTS"),
        (LeaseLost(peer="p", epoch=1), "ABORTED"),
        (CredentialsMissing(trust_domain="t"), "UNAUTHENTICATED"),
        (IdentityNotAllowed(identity="i", action="a"), "PERMISSION_DENIED"),
        (RateLimited(what="w", wait_ms=1500), "RESOURCE_EXHAUSTED"),
        (AdapterOffline(peer="p"), "UNAVAILABLE"),
        (RecordCorrupt(what="w", stored="s", computed="c"), "DATA_LOSS"),
        (sample(errors.ClientTypeUnknown), "UNIMPLEMENTED"),
        (ZeroDivisionError("secret"), "INTERNAL"),
    ],
)
def test_each_category_has_its_code(error: Exception, code: str) -> None:
    assert code_of(error) == code_pb2.Code.Value(code)
    assert read(failed(to_status(error, ""))).code == code


def details(error: Exception, kind: Any) -> Any:
    found = kind()
    for detail in to_status(error, "r").details:
        if detail.Unpack(found):
            return found
    raise AssertionError(f"no {kind.__name__}")


def test_the_details_say_what_the_category_needs() -> None:
    field = details(
        FieldInvalid(field="peer.name", problem="is empty"), error_details_pb2.BadRequest
    )
    assert field.field_violations[0].field == "peer.name"
    assert field.field_violations[0].reason == "FIELD_INVALID"
    precondition = details(
        ClientFrozen(client="peers/a/client", cause="x"), error_details_pb2.PreconditionFailure
    )
    assert precondition.violations[0].type == "CLIENT_FROZEN"
    assert precondition.violations[0].subject == "peers/a/client"
    resource = details(PeerNotFound(name="peers/a"), error_details_pb2.ResourceInfo)
    assert (resource.resource_type, resource.resource_name) == ("peer", "peers/a")


def test_how_long_to_wait_is_told() -> None:
    assert read(failed(to_status(RateLimited(what="w", wait_ms=1500), ""))).retry_after == (
        SECOND * 3 // 2
    )
    found = read(failed(to_status(AdapterOffline(peer="p"), "")))
    assert (found.retry_after, found.is_retryable) == (SECOND, True)
    assert not read(failed(to_status(LeaseLost(peer="p", epoch=1), ""))).is_retryable


def test_of_a_bug_nothing_but_the_request_id_is_told() -> None:
    status = to_status(KeyError("password=1234"), "r-9")
    assert b"1234" not in status.SerializeToString()
    found = read(failed(status))
    assert (found.reason, found.request_id, found.metadata) == (Reason.INTERNAL, "r-9", {})


def test_a_failure_that_is_not_the_hubs_has_no_reason() -> None:
    bare = grpc.aio.AioRpcError(
        grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), "Socket closed"
    )
    found = read(bare)
    assert (found.code, found.reason, found.message) == ("UNAVAILABLE", None, "Socket closed")


def test_details_that_contradict_the_call_or_are_damaged_are_not_believed() -> None:
    status = to_status(PeerNotFound(name="n"), "r")
    assert read(failed(status, grpc.StatusCode.UNAVAILABLE)).reason is None
    status.details[0].value = b"\xff\xff"
    assert read(failed(status)).reason is None
    foreign = to_status(PeerNotFound(name="n"), "r")
    info = error_details_pb2.ErrorInfo(reason="PEER_NOT_FOUND", domain="elsewhere.example")
    foreign.details[0].Pack(info)
    assert read(failed(foreign)).reason is None
    newer = to_status(PeerNotFound(name="n"), "r")
    info = error_details_pb2.ErrorInfo(reason="SOMETHING_NEW", domain="ydhub.cn")
    newer.details[0].Pack(info)
    assert read(failed(newer)).reason is None


def test_a_remote_error_reads_as_its_reason_and_message() -> None:
    assert str(RemoteError(code="NOT_FOUND", reason=Reason.PEER_NOT_FOUND, message="m")) == (
        "PEER_NOT_FOUND: m"
    )
    assert str(RemoteError(code="UNKNOWN", reason=None, message="m")) == "UNKNOWN: m"
