from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from hub.cli.keys import make_key, request_for, write_pair
from hub.core.errors import FieldInvalid
from hub.wire.identity.certificate_file import read_certificate
from tests.harness.certificates import Certificates, real_now
from tests.harness.issuer import issuer_of

if TYPE_CHECKING:
    from pathlib import Path

    from hub.wire.identity.issuing import IssuingAuthority

IDENTITY = "spiffe://ydhub.local/peers/hangzhou"


@pytest.fixture
def issuer(tmp_path: Path) -> IssuingAuthority:
    return issuer_of(Certificates.make(tmp_path / "certs"))


def test_a_request_shows_its_key_and_names_nobody() -> None:
    key = make_key()
    request = x509.load_der_x509_csr(request_for(key))
    assert request.is_signature_valid
    assert request.public_key() == key.public_key()
    assert request.subject == x509.Name([])


def test_a_pair_is_written_whole_and_the_key_for_its_owner_alone(
    issuer: IssuingAuthority, tmp_path: Path
) -> None:
    cert_file, key_file = tmp_path / "own.crt", tmp_path / "own.key"
    key_file.write_text("the key before")
    key = make_key()
    issued = issuer.issue(request_for(key), IDENTITY, real_now())
    write_pair(cert_file, key_file, key, issued.chain)
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    kept = load_pem_private_key(key_file.read_bytes(), password=None)
    assert kept.public_key() == key.public_key()
    found = read_certificate(cert_file)
    assert (found.serial, found.identity) == (issued.serial, IDENTITY)
    assert found.not_after == issued.expires_at
    assert sorted(file.name for file in tmp_path.iterdir() if file.is_file()) == [
        "own.crt",
        "own.key",
    ]


def test_a_certificate_of_another_key_is_not_written(
    issuer: IssuingAuthority, tmp_path: Path
) -> None:
    issued = issuer.issue(request_for(make_key()), IDENTITY, real_now())
    for chain in (issued.chain, (), (b"no certificate",)):
        with pytest.raises(FieldInvalid):
            write_pair(tmp_path / "own.crt", tmp_path / "own.key", make_key(), chain)
    assert not (tmp_path / "own.key").exists()


def test_a_place_that_cannot_be_written_is_named(issuer: IssuingAuthority, tmp_path: Path) -> None:
    key = make_key()
    issued = issuer.issue(request_for(key), IDENTITY, real_now())
    with pytest.raises(FieldInvalid):
        write_pair(tmp_path / "none" / "own.crt", tmp_path / "none" / "own.key", key, issued.chain)
