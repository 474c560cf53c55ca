from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from hub.cli.dev.ca import LEAF_DAYS, is_fresh, issue, open_authority
from hub.core.time import SECOND, Timestamp
from hub.wire.identity.spiffe import SpiffeId

if TYPE_CHECKING:
    from pathlib import Path

NOW = Timestamp(1_764_000_000 * SECOND)
DAY = 86_400 * SECOND
HANGZHOU = SpiffeId("ydhub.local", "/peers/hangzhou")


def load(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(file.read_bytes())


def test_an_authority_is_made_once_and_found_again(tmp_path: Path) -> None:
    made = open_authority(tmp_path / "ca", now=NOW)
    found = open_authority(tmp_path / "ca", now=NOW)
    assert found.certificate == made.certificate
    assert found.key.private_numbers() == made.key.private_numbers()


def test_keys_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    authority = open_authority(tmp_path / "ca", now=NOW)
    issue(authority, HANGZHOU, tmp_path / "certs", "peer-hangzhou", serves=False, now=NOW)
    keys = [tmp_path / "ca" / "ca.key", tmp_path / "certs" / "peer-hangzhou.key"]
    assert [stat.S_IMODE(key.stat().st_mode) for key in keys] == [0o600, 0o600]
    assert stat.S_IMODE((tmp_path / "ca").stat().st_mode) == 0o700


@pytest.mark.parametrize("serves", [False, True])
def test_only_a_leaf_that_serves_names_this_machine(tmp_path: Path, *, serves: bool) -> None:
    authority = open_authority(tmp_path, now=NOW)
    issue(authority, HANGZHOU, tmp_path, "leaf", serves=serves, now=NOW)
    leaf = load(tmp_path / "leaf.crt")
    leaf.verify_directly_issued_by(authority.certificate)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [str(HANGZHOU)]
    assert bool(names.get_values_for_type(x509.DNSName)) is serves
    assert (x509.oid.ExtendedKeyUsageOID.SERVER_AUTH in usage) is serves


def test_a_leaf_is_renewed_after_two_thirds_of_its_life(tmp_path: Path) -> None:
    authority = open_authority(tmp_path, now=NOW)
    issue(authority, HANGZHOU, tmp_path, "leaf", serves=False, now=NOW)
    file = tmp_path / "leaf.crt"
    assert is_fresh(file, now=NOW)
    assert is_fresh(file, now=Timestamp(NOW + LEAF_DAYS * DAY * 2 // 3 - DAY))
    assert not is_fresh(file, now=Timestamp(NOW + LEAF_DAYS * DAY * 2 // 3))
    assert not is_fresh(file, now=Timestamp(NOW - DAY))
    assert not is_fresh(tmp_path / "none.crt", now=NOW)
