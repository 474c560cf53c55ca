"""The hub's own issuing CA: it signs keys that it never sees, for identities that it decides.

Nothing in a certificate request is believed but its key, and that the asker holds it. The subject
is empty; the identity is the one SPIFFE URI.

Source: RFC 2986 (PKCS #10); RFC 5280 sections 4.1, 4.2; X509-SVID sections 2 to 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from hub.core.certificate import IssuedCertificate
from hub.core.errors import FieldInvalid
from hub.core.time import SECOND, Timestamp
from hub.wire.identity.shown import serial_of

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    Purposes = Sequence[x509.ObjectIdentifier]

MAX_REQUEST_BYTES: Final = 16 * 1024
MAX_CHAIN: Final = 8
_MAX_FILE_BYTES: Final = 256 * 1024
_CURVES: Final = (ec.SECP256R1, ec.SECP384R1)
_RSA_BITS: Final = range(2048, 4097)
_BACKDATED: Final = timedelta(minutes=5)
"""Clocks differ a little."""
_FIELD: Final = "certificate_request"

_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


@dataclass(frozen=True, slots=True)
class IssuingAuthority:
    """A CA that signs for the hub; see ``hub.ports.issuer.Issuer``."""

    certificates: tuple[x509.Certificate, ...]
    """Its own, then those above it but for the root."""
    key: _Key
    days: int
    """How long what it signs is valid."""

    @classmethod
    def open(
        cls,
        cert_file: str | os.PathLike[str],
        key_file: str | os.PathLike[str],
        days: int,
    ) -> IssuingAuthority:
        """The CA in PEM files. Raises ``FieldInvalid`` where they are not one CA's."""
        try:
            certificates = x509.load_pem_x509_certificates(_read(cert_file))
            key = load_pem_private_key(_read(key_file), password=None)
        except (ValueError, TypeError) as error:
            raise FieldInvalid(
                field=str(cert_file), problem="and its key cannot be read"
            ) from error
        if not isinstance(key, _Key):
            raise FieldInvalid(field=str(key_file), problem="is neither an EC nor an RSA key")
        if key.public_key() != certificates[0].public_key():
            raise FieldInvalid(field=str(key_file), problem=f"is not the key of {cert_file}")
        if not _may_sign(certificates[0]):
            raise FieldInvalid(field=str(cert_file), problem="may sign no certificates")
        return cls(tuple(certificates), key, days)

    def issue(
        self, request: bytes, identity: str, now: Timestamp, *, like: bytes = b""
    ) -> IssuedCertificate:
        """As the port says."""
        key = _requested_key(request)
        own = self.certificates[0]
        begin = max(_time(now) - _BACKDATED, own.not_valid_before_utc)
        end = min(_time(now) + timedelta(days=self.days), own.not_valid_after_utc)
        if end <= begin:
            raise FieldInvalid(field="issuer", problem="has expired")
        names, purposes = _like(like)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(own.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(), critical=True)
            # Critical, because the subject is empty. Source: RFC 5280 section 4.2.1.6.
            .add_extension(
                x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity), *names]),
                critical=True,
            )
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        above = [one for one in self.certificates if one.subject != one.issuer]
        chain = [certificate, *above][:MAX_CHAIN]
        return IssuedCertificate(
            serial=serial_of(certificate),
            identity=identity,
            expires_at=Timestamp(int(end.timestamp()) * SECOND),
            chain=tuple([one.public_bytes(Encoding.DER) for one in chain]),
        )


def _requested_key(request: bytes) -> _PublicKey:
    """The key that *request* is for and signed by. Raises ``FieldInvalid``."""
    if len(request) > MAX_REQUEST_BYTES:
        raise FieldInvalid(field=_FIELD, problem=f"is over {MAX_REQUEST_BYTES} bytes")
    try:
        found = x509.load_der_x509_csr(request)
        key = found.public_key()
        is_signed = found.is_signature_valid
    except (ValueError, TypeError, InvalidSignature, NotImplementedError) as error:
        raise FieldInvalid(field=_FIELD, problem="is no PKCS #10 request in DER") from error
    if not is_signed:
        raise FieldInvalid(field=_FIELD, problem="is not signed by its own key")
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES):
        return key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size in _RSA_BITS:
        return key
    raise FieldInvalid(field=_FIELD, problem="has a key that is neither P-256, P-384 nor RSA 2048+")


def _like(pem: bytes) -> tuple[list[x509.GeneralName], Purposes]:
    """The names of the machine, and the purposes, of the certificate *pem*; to call, of none."""
    if not pem:
        return [], [ExtendedKeyUsageOID.CLIENT_AUTH]
    found = x509.load_pem_x509_certificate(pem).extensions
    names = found.get_extension_for_class(x509.SubjectAlternativeName).value
    kept: list[x509.GeneralName] = [
        name for name in names if isinstance(name, x509.DNSName | x509.IPAddress)
    ]
    return kept, list(found.get_extension_for_class(x509.ExtendedKeyUsage).value)


def _may_sign(certificate: x509.Certificate) -> bool:
    try:
        found = certificate.extensions
        is_ca = found.get_extension_for_class(x509.BasicConstraints).value.ca
        return is_ca and found.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        return False


def _usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _read(file: str | os.PathLike[str]) -> bytes:
    try:
        with Path(file).open("rb") as stream:
            return stream.read(_MAX_FILE_BYTES)
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise FieldInvalid(field=str(file), problem=problem) from error


def _time(at: Timestamp) -> datetime:
    return datetime.fromtimestamp(at // SECOND, tz=UTC)
