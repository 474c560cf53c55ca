from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from hub.core.errors import CredentialsMissing
from hub.core.time import SECOND
from hub.wire.identity.shown import serial_of, shown_certificate
from hub.wire.identity.spiffe import SpiffeId
from tests.harness.certificates import Certificates

if TYPE_CHECKING:
    from pathlib import Path

IDENTITY = SpiffeId("ydhub.local", "/peers/hangzhou")


class Call:
    def __init__(self, **properties: list[bytes]) -> None:
        self._properties = properties

    def auth_context(self) -> dict[str, list[bytes]]:
        return self._properties


def test_a_certificate_is_known_by_its_serial_and_its_beginning(tmp_path: Path) -> None:
    file, _, _ = Certificates.make(tmp_path).files("/peers/hangzhou")
    pem = file.read_bytes()
    shown = shown_certificate(Call(x509_pem_cert=[pem]), IDENTITY)
    certificate = x509.load_pem_x509_certificate(pem)
    assert shown.serial == serial_of(certificate) == f"{certificate.serial_number:x}"
    assert shown.identity == str(IDENTITY)
    assert shown.not_before == int(certificate.not_valid_before_utc.timestamp()) * SECOND
    assert shown.not_after == int(certificate.not_valid_after_utc.timestamp()) * SECOND


@pytest.mark.parametrize(
    "call", [Call(), Call(x509_pem_cert=[b"a", b"b"]), Call(x509_pem_cert=[b"no certificate"])]
)
def test_a_connection_without_one_certificate_is_refused(call: Call) -> None:
    with pytest.raises(CredentialsMissing):
        shown_certificate(call, IDENTITY)
