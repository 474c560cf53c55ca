"""Keys and certificates in files: made here, asked for by a request; keys are never sent anywhere.

Source: RFC 2986 (PKCS #10).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hub.core.errors import FieldInvalid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_PRIVATE: Final = 0o600


def make_key() -> ec.EllipticCurvePrivateKey:
    """A fresh P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def request_for(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A request, DER, that shows that its sender holds *key*; it names nobody."""
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return request.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def write_pair(
    cert_file: Path, key_file: Path, key: ec.EllipticCurvePrivateKey, chain: Sequence[bytes]
) -> None:
    """The files hold *key* and the certificates (DER), each replaced as a whole.

    Raises ``FieldInvalid``.
    """
    try:
        certificates = [x509.load_der_x509_certificate(one) for one in chain]
    except ValueError as error:
        raise FieldInvalid(field="certificate", problem="cannot be read") from error
    if not certificates or certificates[0].public_key() != key.public_key():
        raise FieldInvalid(field="certificate", problem="is not of the key that was made")
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    content = b"".join([one.public_bytes(Encoding.PEM) for one in certificates])
    try:
        fresh = [_fresh(key_file, secret), _fresh(cert_file, content)]
        for file, final in zip(fresh, (key_file, cert_file), strict=True):
            file.replace(final)
    except OSError as error:
        problem = f"cannot be written: {error.strerror}"
        raise FieldInvalid(field=str(error.filename), problem=problem) from error


def _fresh(file: Path, content: bytes) -> Path:
    """A new file beside *file* holds *content*, and was never readable by others."""
    fresh = file.with_name(f".{file.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    return fresh
