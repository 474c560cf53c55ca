from __future__ import annotations

import pytest
from ydhub.certificate.v1 import certificate_service_pb2 as service

from hub.core.certificate import IssuedCertificate, Revocation
from hub.core.errors import FieldInvalid, IdentifierInvalid
from hub.core.time import SECOND, Timestamp
from hub.wire.certificates import issued_to_proto, revocation_to_proto, subject_from_proto

IDENTITY = "spiffe://ydhub.local/peers/suzhou"


def test_an_issued_certificate_is_told_whole() -> None:
    message = issued_to_proto(
        IssuedCertificate(
            serial="1f", identity=IDENTITY, expires_at=Timestamp(7 * SECOND), chain=(b"a", b"b")
        )
    )
    assert (message.serial, message.identity, list(message.chain)) == ("1f", IDENTITY, [b"a", b"b"])
    assert message.expire_time.seconds == 7


def test_a_revocation_is_told_whole() -> None:
    message = revocation_to_proto(
        Revocation(
            number=1, serial="", identity=IDENTITY, cause="left", revoked_at=Timestamp(7 * SECOND)
        )
    )
    assert (message.serial, message.identity, message.cause) == ("", IDENTITY, "left")
    assert message.revoke_time.seconds == 7


def test_a_serial_or_an_identity_of_the_hub_is_revoked() -> None:
    request = service.RevokeCertificateRequest(serial="00:1F")
    assert subject_from_proto(request, "ydhub.local") == ("1f", "")
    request = service.RevokeCertificateRequest(identity=IDENTITY)
    assert subject_from_proto(request, "ydhub.local") == ("", IDENTITY)
    with pytest.raises(FieldInvalid):
        subject_from_proto(request, "elsewhere")
    with pytest.raises(FieldInvalid):
        subject_from_proto(service.RevokeCertificateRequest(), "ydhub.local")
    with pytest.raises(IdentifierInvalid):
        subject_from_proto(service.RevokeCertificateRequest(identity="suzhou"), "ydhub.local")
