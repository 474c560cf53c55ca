from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hub.cli.keys import make_key, request_for
from hub.core.errors import FieldInvalid
from hub.core.time import SECOND, Timestamp
from hub.wire.identity.issuing import MAX_REQUEST_BYTES, IssuingAuthority
from tests.harness.certificates import Certificates, real_now
from tests.harness.issuer import DAYS, a_request, issuer_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

IDENTITY = "spiffe://ydhub.local/peers/hangzhou"


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates.make(tmp_path / "certs")


@pytest.fixture
def issuer(certificates: Certificates) -> IssuingAuthority:
    return issuer_of(certificates)


def request_of(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, name: str = "") -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_a_certificate_shows_the_identity_that_the_hub_decides_and_nothing_of_the_request(
    issuer: IssuingAuthority,
) -> None:
    key = make_key()
    issued = issuer.issue(request_of(key, "spiffe://ydhub.local/admins/li"), IDENTITY, real_now())
    found = x509.load_der_x509_certificate(issued.chain[0])
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert list(names.value) == [x509.UniformResourceIdentifier(IDENTITY)]
    assert names.critical
    assert found.subject == x509.Name([])
    assert found.public_key() == key.public_key()
    assert issued.serial == f"{found.serial_number:x}"
    assert issued.identity == IDENTITY
    purposes = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    found.verify_directly_issued_by(issuer.certificates[0])
    assert len(issued.chain) == 1


def test_it_is_valid_as_long_as_configured_but_never_longer_than_its_ca(
    certificates: Certificates,
) -> None:
    now = real_now()
    short = issuer_of(certificates).issue(a_request(), IDENTITY, now)
    assert short.expires_at == now // SECOND * SECOND + DAYS * 86400 * SECOND
    long = issuer_of(certificates, 398).issue(a_request(), IDENTITY, now)
    end = certificates.authority.certificate.not_valid_after_utc
    assert long.expires_at == int(end.timestamp()) * SECOND
    late = Timestamp(int((end + timedelta(days=1)).timestamp()) * SECOND)
    with pytest.raises(FieldInvalid):
        issuer_of(certificates).issue(a_request(), IDENTITY, late)


def test_a_renewed_certificate_serves_where_the_one_before_did(
    issuer: IssuingAuthority, certificates: Certificates
) -> None:
    before, _, _ = certificates.files("/hub", serves=True)
    issued = issuer.issue(a_request(), IDENTITY, real_now(), like=before.read_bytes())
    found = x509.load_der_x509_certificate(issued.chain[0]).extensions
    names = found.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [IDENTITY]
    purposes = found.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert ExtendedKeyUsageOID.SERVER_AUTH in purposes


def flipped(request: bytes) -> bytes:
    return request[:-3] + bytes((request[-3] ^ 1,)) + request[-2:]


def ed25519_request() -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    key = ed25519.Ed25519PrivateKey.generate()
    return builder.sign(key, None).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    "make",
    [
        lambda: b"",
        lambda: b"no request",
        lambda: flipped(a_request()),
        lambda: a_request() + b"\x00",
        lambda: bytes(MAX_REQUEST_BYTES + 1),
        ed25519_request,
        lambda: request_of(rsa.generate_private_key(65537, 1024)),  # noqa: S505 - to be refused
        lambda: request_of(ec.generate_private_key(ec.SECP521R1())),
    ],
)
def test_what_is_no_signed_request_of_a_usable_key_gets_nothing(
    issuer: IssuingAuthority, make: Callable[[], bytes]
) -> None:
    with pytest.raises(FieldInvalid) as caught:
        issuer.issue(make(), IDENTITY, real_now())
    assert caught.value.field == "certificate_request"


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()])
def test_the_usual_curves_are_taken(issuer: IssuingAuthority, curve: ec.EllipticCurve) -> None:
    assert issuer.issue(request_of(ec.generate_private_key(curve)), IDENTITY, real_now()).serial


def test_files_that_are_not_one_cas_are_refused(certificates: Certificates, tmp_path: Path) -> None:
    issuer_of(certificates)
    ca, key = certificates.directory / "ca.crt", certificates.directory / "issuer.key"
    leaf, leaf_key, _ = certificates.files("/hub", serves=True)
    for cert_file, key_file in (
        (tmp_path / "none", key),
        (ca, tmp_path / "none"),
        (ca, leaf_key),
        (leaf, leaf_key),
        (key, ca),
    ):
        with pytest.raises(FieldInvalid):
            IssuingAuthority.open(cert_file, key_file, DAYS)


def test_intermediates_travel_with_the_certificate_and_the_root_does_not(
    issuer: IssuingAuthority, certificates: Certificates
) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuing")])
    key, now = make_key(), datetime.now(tz=UTC)  # noqa: TID251 - certificates are of the wall clock
    own = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(certificates.authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=9))
        .sign(certificates.authority.key, hashes.SHA256())
    )
    below = IssuingAuthority((own, *issuer.certificates), key, 5)
    issued = below.issue(request_for(make_key()), IDENTITY, real_now())
    assert list(issued.chain[1:]) == [own.public_bytes(Encoding.DER)]
