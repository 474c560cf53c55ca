from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.cli.keys import make_key, request_for, write_pair
from hub.core.errors import CertificateExpired, FieldInvalid
from hub.core.time import SECOND, Timestamp
from hub.wire.identity.certificate_file import read_certificate
from tests.harness.certificates import Certificates, real_now
from tests.harness.issuer import DAYS, issuer_of

if TYPE_CHECKING:
    from pathlib import Path

    from hub.wire.identity.issuing import IssuingAuthority

IDENTITY = "spiffe://ydhub.local/peers/hangzhou"


@pytest.fixture
def issuer(tmp_path: Path) -> IssuingAuthority:
    return issuer_of(Certificates.make(tmp_path / "certs"))


def test_a_certificate_renews_when_two_thirds_of_its_life_are_over(
    issuer: IssuingAuthority, tmp_path: Path
) -> None:
    key, now = make_key(), real_now()
    issued = issuer.issue(request_for(key), IDENTITY, now)
    write_pair(tmp_path / "own.crt", tmp_path / "own.key", key, issued.chain)
    found = read_certificate(tmp_path / "own.crt")
    third = DAYS * 86400 * SECOND // 3
    assert abs(found.not_after - found.renews_at - third) < 200 * SECOND
    assert found.renews_at > Timestamp(now)


def test_what_is_no_certificate_is_named(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("nothing")
    for wrong in (file, tmp_path / "none"):
        with pytest.raises(FieldInvalid) as caught:
            read_certificate(wrong)
        assert caught.value.field == str(wrong)


def test_a_certificate_counts_through_its_last_second(tmp_path: Path) -> None:
    file, _, _ = Certificates.make(tmp_path).files("/peers/hangzhou")
    found = read_certificate(file)
    found.check(Timestamp(found.not_after + SECOND - 1))
    with pytest.raises(CertificateExpired) as caught:
        found.check(Timestamp(found.not_after + SECOND))
    assert (caught.value.serial, caught.value.identity) == (found.serial, IDENTITY)
