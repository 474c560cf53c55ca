"""Issued certificates and revocations, to protobuf and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ydhub.certificate.v1 import certificate_pb2 as pb

from hub.core.certificate import parse_serial
from hub.core.errors import FieldInvalid
from hub.wire.identity.spiffe import SpiffeId
from hub.wire.times import timestamp_to_proto

if TYPE_CHECKING:
    from ydhub.certificate.v1 import certificate_service_pb2 as service

    from hub.core.certificate import IssuedCertificate, Revocation


def issued_to_proto(issued: IssuedCertificate) -> pb.IssuedCertificate:
    """*issued* as a message."""
    return pb.IssuedCertificate(
        chain=issued.chain,
        serial=issued.serial,
        identity=issued.identity,
        expire_time=timestamp_to_proto(issued.expires_at),
    )


def revocation_to_proto(revocation: Revocation) -> pb.Revocation:
    """*revocation* as a message."""
    return pb.Revocation(
        serial=revocation.serial,
        identity=revocation.identity,
        cause=revocation.cause,
        revoke_time=timestamp_to_proto(revocation.revoked_at),
    )


def subject_from_proto(
    request: service.RevokeCertificateRequest, trust_domain: str
) -> tuple[str, str]:
    """The serial, or the identity of *trust_domain*, that a request names; the other is empty.

    Raises ``FieldInvalid`` or ``IdentifierInvalid``.
    """
    match request.WhichOneof("subject"):
        case "serial":
            return parse_serial(request.serial), ""
        case "identity":
            identity = SpiffeId.parse(request.identity)
            if identity.trust_domain != trust_domain:
                raise FieldInvalid(field="identity", problem=f"is not of {trust_domain}")
            return "", str(identity)
        case None:
            raise FieldInvalid(field="subject", problem="is missing")
