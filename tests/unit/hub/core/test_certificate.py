from __future__ import annotations

import pytest

from hub.core.certificate import Revoked, ShownCertificate, parse_serial
from hub.core.errors import CertificateExpired, CertificateRevoked, FieldInvalid
from hub.core.time import SECOND, Timestamp

IDENTITY = "spiffe://ydhub.local/peers/suzhou"
SHOWN = ShownCertificate(
    serial="1f",
    identity=IDENTITY,
    not_before=Timestamp(100),
    not_after=Timestamp(5 * SECOND),
)


@pytest.mark.parametrize(
    "revoked",
    [
        Revoked(),
        Revoked(serials={"2f": "lost"}),
        Revoked(identities={"spiffe://ydhub.local/peers/wuxi": (Timestamp(200), "left")}),
        Revoked(identities={IDENTITY: (Timestamp(99), "left")}),
        Revoked(identities={IDENTITY: (Timestamp(200), "left")}, reissued=frozenset({"1f"})),
    ],
)
def test_what_is_not_revoked_counts(revoked: Revoked) -> None:
    revoked.check(SHOWN)


@pytest.mark.parametrize(
    "revoked",
    [
        Revoked(serials={"1f": "lost"}),
        Revoked(serials={"1f": "lost"}, reissued=frozenset({"1f"})),
        Revoked(identities={IDENTITY: (Timestamp(100), "lost")}),
        Revoked(identities={IDENTITY: (Timestamp(200), "lost")}, reissued=frozenset({"2f"})),
    ],
)
def test_what_is_revoked_says_why(revoked: Revoked) -> None:
    with pytest.raises(CertificateRevoked) as caught:
        revoked.check(SHOWN)
    assert (caught.value.serial, caught.value.cause) == ("1f", "lost")


def test_a_serial_is_read_as_tools_print_it() -> None:
    assert parse_serial("1F") == parse_serial("00:1f") == parse_serial("01f") == "1f"
    for text in ("", "0", "0x1f", "1g", "1" * 41):
        with pytest.raises(FieldInvalid):
            parse_serial(text)


def test_a_certificate_counts_through_its_last_second() -> None:
    SHOWN.check(Timestamp(6 * SECOND - 1))
    with pytest.raises(CertificateExpired) as caught:
        SHOWN.check(Timestamp(6 * SECOND))
    assert (caught.value.serial, caught.value.expired_at) == ("1f", 5 * SECOND)
