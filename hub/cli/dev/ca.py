"""The development network's own certificate authority, made at run time.

Real deployments bring their own. Keys are ECDSA P-256, PKCS #8, and readable by their owner alone.
A leaf carries one SPIFFE URI; one that serves also carries the names of this machine. Nothing else
may serve: the extended key usage says so, and gRPC holds both sides to it.

Source: RFC 5280 sections 4.1, 4.2; X509-SVID sections 2 to 4.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hub.core.time import SECOND

if TYPE_CHECKING:
    from pathlib import Path

    from hub.core.time import Timestamp
    from hub.wire.identity.spiffe import SpiffeId

ROOT_DAYS = 365
LEAF_DAYS = 90
_BACKDATED = timedelta(hours=2)
"""A clock of the network that is behind by so much believes its certificates all the same."""
_PRIVATE = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A root certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def open_authority(directory: Path, *, now: Timestamp) -> Authority:
    """The authority kept in *directory* as ``ca.crt`` and ``ca.key``; made there if it is not."""
    certificate_file, key_file = directory / "ca.crt", directory / "ca.key"
    if certificate_file.exists() and key_file.exists():
        key = load_pem_private_key(key_file.read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("the authority's key is not an elliptic curve key")
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        return Authority(certificate=certificate, key=key)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority = make_authority(now=now)
    _write_private(key_file, _key_pem(authority.key))
    certificate_file.write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    return authority


def make_authority(*, now: Timestamp) -> Authority:
    """A fresh root, valid from *now*."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ydhub development CA")])
    usage = _usage(signs_certificates=True)
    certificate = (
        _builder(key, days=ROOT_DAYS, now=now)
        .subject_name(name)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate=certificate, key=key)


def issue(
    authority: Authority,
    identity: SpiffeId,
    directory: Path,
    name: str,
    *,
    serves: bool,
    now: Timestamp,
) -> None:
    """``{name}.crt`` and ``{name}.key`` of *identity* stand in *directory*, valid from *now*."""
    key = ec.generate_private_key(ec.SECP256R1())
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(str(identity))]
    purposes = [ExtendedKeyUsageOID.CLIENT_AUTH]
    if serves:
        names += [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
        purposes.append(ExtendedKeyUsageOID.SERVER_AUTH)
    certificate = (
        _builder(key, days=LEAF_DAYS, now=now)
        .subject_name(x509.Name([]))
        .issuer_name(authority.certificate.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        # Critical, because the subject is empty. Source: RFC 5280 section 4.2.1.6.
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write_private(directory / f"{name}.key", _key_pem(key))
    (directory / f"{name}.crt").write_bytes(certificate.public_bytes(Encoding.PEM))


def is_fresh(certificate_file: Path, *, now: Timestamp) -> bool:
    """The certificate is there and less than two thirds of its life are over."""
    if not certificate_file.exists():
        return False
    certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return begin <= _time(now) < begin + (end - begin) * 2 / 3


def _builder(
    key: ec.EllipticCurvePrivateKey, *, days: int, now: Timestamp
) -> x509.CertificateBuilder:
    begin = _time(now) - _BACKDATED
    return (
        x509.CertificateBuilder()
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write_private(file: Path, content: bytes) -> None:
    """*file* holds *content*, and was never readable by others."""
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)


def _time(at: Timestamp) -> datetime:
    return datetime.fromtimestamp(at // SECOND, tz=UTC)
