from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.cli import certificates as module
from hub.cli.certificates import NOT_YET
from hub.core.time import SECOND, Timestamp
from hub.wire.identity.certificate_file import read_certificate
from tests.harness.command_line import Desk, run_command
from tests.harness.hub_server import ADMIN, Served, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.harness.exchange import Exchange


@pytest.fixture
async def served(exchange: Exchange, tmp_path: Path) -> AsyncIterator[Served]:
    async with serve(exchange.registry, tmp_path / "certs", issues=True) as found:
        yield found


async def test_a_certificate_says_who_it_is_and_how_long(ydhub: Desk, served: Served) -> None:
    file, _, _ = served.certificates.files(ADMIN)
    found = await ydhub("cert", "inspect", file)
    assert ["identity", f"spiffe://ydhub.local{ADMIN}"] in found.rows
    assert ["serial", read_certificate(file).serial] in found.rows
    told = await ydhub("cert", "inspect", file, "-o", "json")
    assert told.json["serial"] == read_certificate(file).serial
    assert (await ydhub("cert", "inspect", file.with_name("none"))).code == 3


def test_a_script_learns_whether_to_renew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.harness.certificates import Certificates

    file, _, _ = Certificates.make(tmp_path / "certs").files("/peers/hangzhou")
    found = read_certificate(file)
    for now, words, code in (
        (found.renews_at - SECOND, (), NOT_YET),
        (found.renews_at, (), 0),
        (found.not_after - 3601 * SECOND, ("--within", "1h"), NOT_YET),
        (found.not_after - 3600 * SECOND, ("--within", "1h"), 0),
        (found.not_before, ("--within", "100000h"), 0),
    ):
        at = Timestamp(now)
        monkeypatch.setattr(module, "wall_clock", lambda at=at: at)
        assert run_command("cert", "needs-renewal", file, *words).code == code
    assert run_command("cert", "needs-renewal", tmp_path / "none").code == 3


async def test_a_renewed_pair_replaces_the_old_one_and_works(ydhub: Desk, served: Served) -> None:
    file, key, _ = served.certificates.files(ADMIN)
    before, secret = read_certificate(file), key.read_bytes()
    found = await ydhub("cert", "renew")
    assert found.code == 0, found.error
    after = read_certificate(file)
    assert (after.identity, after.serial != before.serial) == (before.identity, True)
    assert key.read_bytes() != secret
    assert (await ydhub("peer", "list")).code == 0


async def test_a_renewed_pair_may_go_elsewhere(ydhub: Desk, served: Served, tmp_path: Path) -> None:
    file, _, _ = served.certificates.files(ADMIN)
    before = file.read_bytes()
    other = ("--out-cert", tmp_path / "new.crt", "--out-key", tmp_path / "new.key")
    assert (await ydhub("cert", "renew", *other)).code == 0
    assert file.read_bytes() == before
    assert read_certificate(tmp_path / "new.crt").identity == read_certificate(file).identity
    assert (await ydhub("cert", "renew", *other[:2])).code == 3


async def test_a_serial_a_peer_or_an_identity_is_revoked(ydhub: Desk, served: Served) -> None:
    file, _, _ = served.certificates.files("/relayers/east-1")
    serial = read_certificate(file).serial
    found = await ydhub("cert", "revoke", serial, "--cause", "lost")
    assert found.error == f"{serial} is revoked\n"
    again = await ydhub("cert", "revoke", f"serial:{serial}", "--cause", "lost")
    assert again.error == f"{serial} was revoked before\n"
    peer = await ydhub("cert", "revoke", "hangzhou", "--cause", "left")
    assert peer.error == "spiffe://ydhub.local/peers/hangzhou is revoked\n"
    other = await ydhub("cert", "revoke", "spiffe://ydhub.local/admins/wu", "--cause", "left")
    assert other.code == 0
    listed = await ydhub("cert", "revoked")
    assert [row[0] for row in listed.rows[1:]] == [
        serial,
        "spiffe://ydhub.local/peers/hangzhou",
        "spiffe://ydhub.local/admins/wu",
    ]
    assert (await ydhub("cert", "revoke", "hangzhou")).code == 2


async def test_ones_own_revocation_takes_effect_at_the_next_call(
    ydhub: Desk, served: Served
) -> None:
    file, _, _ = served.certificates.files(ADMIN)
    revoke = ("cert", "revoke", read_certificate(file).serial, "--cause", "lost")
    assert (await ydhub(*revoke)).code == 0
    refused = await ydhub("peer", "list")
    assert (refused.code, "CERTIFICATE_REVOKED" in refused.error) == (8, True)
