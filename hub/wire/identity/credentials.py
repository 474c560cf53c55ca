"""gRPC credentials from PEM files: mutual TLS on both sides, no exception.

A server reads its files again when they change, so a new certificate or CA counts for the next
connection. A channel cannot (grpc issue 41779): who dials calls ``channel_credentials`` again.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from hub.core.errors import FieldInvalid

if TYPE_CHECKING:
    import os
    from typing import TypeAlias

    FilePath: TypeAlias = str | os.PathLike[str]

_MAX_BYTES = 256 * 1024


def server_credentials(
    cert_file: FilePath, key_file: FilePath, ca_file: FilePath
) -> grpc.ServerCredentials:
    """Credentials that demand a certificate of the CA from every caller, and follow the files.

    A change that cannot be read is not taken: the files before go on. Raises ``FieldInvalid``.
    """
    files = _PemFiles(cert_file, key_file, ca_file)
    return grpc.dynamic_ssl_server_credentials(
        files.configuration(),
        files.changed_configuration,  # type: ignore[arg-type]  # None is "unchanged"; untyped there
        require_client_authentication=True,
    )


def listener_credentials(cert_file: FilePath, key_file: FilePath) -> grpc.ServerCredentials:
    """Credentials that show the server's certificate, ask for none, and follow the files.

    Raises ``FieldInvalid``.
    """
    files = _PemFiles(cert_file, key_file)
    return grpc.dynamic_ssl_server_credentials(
        files.configuration(),
        files.changed_configuration,  # type: ignore[arg-type]  # None is "unchanged"; untyped there
        require_client_authentication=False,
    )


def server_trust(ca_file: FilePath) -> grpc.ChannelCredentials:
    """Credentials that show nothing, and trust servers of the CA alone. Raises ``FieldInvalid``."""
    [ca] = _PemFiles(ca_file).read()
    return grpc.ssl_channel_credentials(ca)


def channel_credentials(
    cert_file: FilePath, key_file: FilePath, ca_file: FilePath
) -> grpc.ChannelCredentials:
    """Credentials that show the certificate, and trust servers of the CA alone.

    Raises ``FieldInvalid``.
    """
    certificate, key, ca = _PemFiles(cert_file, key_file, ca_file).read()
    return grpc.ssl_channel_credentials(ca, key, certificate)


class _PemFiles:
    """A certificate chain, its key, and the CA that other sides are judged by, if any are."""

    def __init__(self, *files: FilePath) -> None:
        self._files = tuple(Path(file) for file in files)
        self._taken: tuple[bytes, ...] = ()

    def read(self) -> tuple[bytes, ...]:
        """What each file holds. Raises ``FieldInvalid``."""
        return tuple([_read(file) for file in self._files])

    def configuration(self) -> grpc.ServerCertificateConfiguration:
        """What the files hold now. Raises ``FieldInvalid``."""
        certificate, key, *ca = self._taken = self.read()
        return grpc.ssl_server_certificate_configuration(
            [(key, certificate)], ca[0] if ca else None
        )

    def changed_configuration(self) -> grpc.ServerCertificateConfiguration | None:
        """What the files hold now; None while it is what was taken, or not readable."""
        try:
            found = self.read()
        except FieldInvalid:
            return None
        return None if found == self._taken else self.configuration()


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            content = stream.read(_MAX_BYTES)
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise FieldInvalid(field=str(file), problem=problem) from error
    if b"-----BEGIN " not in content:
        raise FieldInvalid(field=str(file), problem="is not a PEM file")
    return content
