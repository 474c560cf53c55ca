from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.cli.enrolment import read_token
from hub.core.errors import FieldInvalid
from hub.wire.identity.certificate_file import read_certificate
from tests.harness.hub_server import Served, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.harness.command_line import Desk
    from tests.harness.exchange import Exchange


@pytest.fixture
async def served(exchange: Exchange, tmp_path: Path) -> AsyncIterator[Served]:
    async with serve(exchange.registry, tmp_path / "certs", issues=True) as found:
        yield found


def enroll(served: Served, directory: Path) -> tuple[object, ...]:
    return (
        "peer",
        "enroll",
        "--hub",
        served.enrolment,
        "--hub-ca",
        served.certificates.directory / "ca.crt",
        "--token-file",
        directory / "token",
        "--out-cert",
        directory / "city.crt",
        "--out-key",
        directory / "city.key",
    )


async def test_a_city_enrols_with_the_token_that_an_administrator_made(
    ydhub: Desk, served: Served, tmp_path: Path
) -> None:
    invited = await ydhub("peer", "invite", "hangzhou", "--ttl", "10m", "-o", "json")
    assert invited.code == 0, invited.error
    token = tmp_path / "token"
    token.write_text(invited.json["token"] + "\n")
    found = await ydhub(*enroll(served, tmp_path))
    assert found.code == 0, found.error
    assert ["identity", "spiffe://ydhub.local/peers/hangzhou"] in found.rows
    own = read_certificate(tmp_path / "city.crt")
    assert own.identity == "spiffe://ydhub.local/peers/hangzhou"
    assert invited.json["token"] not in found.out + found.error
    pair = ("--cert", tmp_path / "city.crt", "--key", tmp_path / "city.key")
    assert (await ydhub("peer", "get", "hangzhou", *pair)).code == 0
    again = await ydhub(*enroll(served, tmp_path))
    assert (again.code, "INVITATION_INVALID" in again.error) == (8, True)
    assert read_certificate(tmp_path / "city.crt") == own


async def test_an_invitation_is_for_a_registered_peer_and_not_for_ever(ydhub: Desk) -> None:
    assert (await ydhub("peer", "invite", "wuxi")).code == 6
    assert (await ydhub("peer", "invite", "hangzhou", "--ttl", "1s")).code == 3


async def test_a_hub_that_shows_another_ca_is_told_nothing(
    ydhub: Desk, served: Served, tmp_path: Path
) -> None:
    from tests.harness.certificates import Certificates

    (tmp_path / "token").write_text("token")
    words = list(enroll(served, tmp_path))
    Certificates.make(tmp_path / "other")
    words[words.index("--hub-ca") + 1] = tmp_path / "other" / "ca.crt"
    assert (await ydhub(*words)).code == 9
    assert not (tmp_path / "city.key").exists()


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
def test_a_file_without_a_token_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(FieldInvalid):
        read_token(file)
    with pytest.raises(FieldInvalid):
        read_token(tmp_path / "none")
