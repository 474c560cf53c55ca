from __future__ import annotations

import json
import tarfile
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from ydhub.packet.v1 import packet_pb2

from hub.cli.support import MAX_LOG_LINES, without_contents
from tests.unit.hub.cli.test_redaction import CANARY, PEM

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness.command_line import Desk
    from tests.harness.exchange import Exchange


def contents(file: Path) -> dict[str, str]:
    """What is in the archive, by name."""
    with tarfile.open(file) as archive:
        names = archive.getnames()
        found = {name: archive.extractfile(name) for name in names}
        return {
            name.removeprefix("ydhub-support/"): stream.read().decode()
            for name, stream in found.items()
            if stream is not None
        }


@pytest.fixture
def canaries(ydhub: Desk) -> None:
    """Secrets where a careless operator or program leaves them."""
    logs, config = ydhub.directory / "logs", ydhub.directory / "config"
    logs.mkdir()
    config.mkdir()
    lines = [
        json.dumps({"event": "connect", "url": f"postgresql://u:{CANARY}@h/d"}),
        json.dumps({"event": "enrol", "token": CANARY, "nested": {"password": CANARY}}),
        json.dumps({"event": "connect", "database_url": f"postgresql://u:a/{CANARY}@h,g/d"}),
        f"connected to 'postgresql://h/d?user=u&password=a@{CANARY}'",
        json.dumps({"event": f"Authorization: Bearer {CANARY}"}),
        f"password={CANARY}",
        *PEM.splitlines(),
        *[f"line {number}" for number in range(10)],
    ]
    (logs / "hub.log").write_text("\n".join(lines) + "\n")
    (logs / "relayer.log").write_text("x\n" * (MAX_LOG_LINES + 5))
    (config / "hub.toml").write_text(
        f'database_url = "postgresql://u:{CANARY}@h/d"\n'
        f'other_url = "postgresql://u:a/{CANARY}/b@h/d"\n'
        f'[tls]\nkey_file = "certs/hub.key"\nkey_passphrase = "{CANARY}"\n'
    )
    (config / "odd.toml").write_text(f"password = {CANARY}")


@pytest.mark.usefixtures("canaries")
async def test_no_secret_is_in_a_bundle(ydhub: Desk, exchange: Exchange, tmp_path: Path) -> None:
    sent = exchange.send(2)
    await exchange.accept(sent, denied="no")
    file = tmp_path / "bundle.tar.gz"
    found = await ydhub("support", "bundle", "--out", file)
    assert (found.code, str(file) in found.out) == (0, True)
    made = contents(file)
    leaks = [name for name, text in made.items() if CANARY in text or "PRIVATE KEY" in text]
    assert leaks == []
    assert "line 9" in made["logs/hub.log"]
    assert len(made["logs/relayer.log"].splitlines()) == MAX_LOG_LINES
    settings = json.loads(made["config/hub.json"])
    assert settings["tls"]["key_file"] == "certs/hub.key"
    value = sent[0].payloads[0].value
    for text in made.values():
        assert b64encode(value).decode() not in text
        assert value.hex() not in text


async def test_a_bundle_says_how_the_hub_is(
    ydhub: Desk, exchange: Exchange, tmp_path: Path
) -> None:
    await exchange.accept(exchange.send(2), denied="no")
    file = tmp_path / "bundle.tar.gz"
    found = await ydhub("support", "bundle", "--out", file, "-o", "json")
    made: dict[str, Any] = {name: json.loads(text) for name, text in contents(file).items()}
    assert sorted(made) == found.json["contents"]
    assert made["versions.json"]["hub"]
    assert made["doctor.json"]["findings"]
    assert len(made["lanes.json"]) == len(made["activity.json"]["lanes"]) == 2
    assert len(made["peers.json"]) == 2
    denied = made["exceptions/denied.json"]
    assert [one["exception"]["reason"] for one in denied] == ["POLICY_DENIES_ROUTE"] * 2
    assert denied[0]["payloadBytes"][0] > 0
    assert denied[0]["packet"]["payloads"][0]["value"] == ""
    assert made["exceptions/parked.json"] == []


async def test_a_bundle_is_made_where_the_hub_is_away(ydhub: Desk, tmp_path: Path) -> None:
    file = tmp_path / "bundle.tar.gz"
    words = ("support", "bundle", "--out", file, "--server", "127.0.0.1:1")
    assert (await ydhub(*words)).code == 0
    made = contents(file)
    assert "UNAVAILABLE" in made["doctor.json"]
    assert "problem" in made["not-asked.json"]


async def test_a_place_that_cannot_be_written_is_told(ydhub: Desk, tmp_path: Path) -> None:
    found = await ydhub("support", "bundle", "--out", tmp_path / "none" / "x.tar.gz")
    assert (found.code, "--out" in found.error) == (3, True)


async def test_a_log_that_cannot_be_read_is_told(ydhub: Desk, tmp_path: Path) -> None:
    file = tmp_path / "bundle.tar.gz"
    await ydhub("support", "bundle", "--out", file, "--log", tmp_path / "none.log")
    assert contents(file)["logs/none.log"].startswith("cannot be read")


def test_a_record_keeps_everything_but_what_was_sent() -> None:
    record = packet_pb2.PacketRecord(
        name="x", packet=packet_pb2.Packet(payloads=[packet_pb2.Payload(value=b"private")])
    )
    record.acknowledgement.app_acknowledgements.append(b"answer")
    found = without_contents(record)
    assert found["payloadBytes"] == [7]
    assert "acknowledgement" not in found
    assert record.packet.payloads[0].value == b"private"
