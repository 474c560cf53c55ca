from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from hub.cli import proofs
from hub.core.time import SECOND, Timestamp
from hub.wire import anchor_file
from tests.harness.command_line import run_command
from tests.harness.exchange import HANGZHOU, SUZHOU

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.harness.command_line import Desk, Ran
    from tests.harness.exchange import Exchange

BETWEEN = "hangzhou~suzhou"


@pytest.fixture
async def bundle(
    ydhub: Desk, exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A bundle of an acknowledged packet, and both operators' anchors beside it."""
    packets = exchange.send(3)
    await exchange.accept(packets)
    await exchange.deliver(packets)
    await exchange.acknowledge(packets)
    for peer in (HANGZHOU, SUZHOU):
        anchor_file.write(tmp_path / f"{peer}.yaml", exchange.anchor(peer), peer=peer)
    now = Timestamp(exchange.path.now + SECOND)
    monkeypatch.setattr(proofs, "wall_clock", lambda: now)
    file = tmp_path / "bundle.json"
    found = await ydhub("proof", "fetch", f"{BETWEEN}/2", "-O", file)
    assert found.code == 0, found.error
    return file


def verify(file: Path, anchors: tuple[str, ...], *words: object) -> Ran:
    """Verified offline by anchors beside the file: no server, no certificate."""
    given = [word for peer in anchors for word in ("--anchor", file.parent / f"{peer}.yaml")]
    return run_command("proof", "verify", file, *given, *words)


def check(file: Path, *words: object) -> Ran:
    """Verified by the anchors of both operators."""
    return verify(file, ("hangzhou", "suzhou"), *words)


def tampered(file: Path, tamper: Callable[[dict[str, Any]], None]) -> None:
    """*file* holds another bundle."""
    found = json.loads(file.read_text())
    tamper(found)
    file.write_text(json.dumps(found))


async def test_a_fetched_bundle_verifies_offline(bundle: Path, exchange: Exchange) -> None:
    found = check(bundle)
    assert found.code == 0, found.error
    assert found.rows[0] == ["packet", f"{exchange.key.name}/packets/2"]
    assert found.rows[2][0] == "acknowledged"
    verdict = check(bundle, "-o", "json").json
    assert set(verdict) == {"packet", "committed", "acknowledged"}


async def test_a_bundle_may_come_through_a_pipe(ydhub: Desk, bundle: Path) -> None:
    fetched = await ydhub("proof", "fetch", f"{BETWEEN}/2")
    words = [word for peer in (HANGZHOU, SUZHOU) for word in ("--anchor", f"{peer}.yaml")]
    given = [bundle.parent / word if word.endswith("yaml") else word for word in words]
    found = run_command("proof", "verify", "-", *given, stdin=fetched.out.encode())
    assert found.code == 0, found.error


async def test_a_bundle_may_begin_at_the_operators_own_anchor(
    ydhub: Desk, bundle: Path, exchange: Exchange, tmp_path: Path
) -> None:
    own = tmp_path / "own.yaml"
    anchor_file.write(own, exchange.anchor(HANGZHOU, 6), peer=HANGZHOU)
    other = tmp_path / "suzhou.yaml"
    refused = run_command("proof", "verify", bundle, "--anchor", own, "--anchor", other)
    assert refused.code == 4
    fetched = tmp_path / "own.json"
    await ydhub("proof", "fetch", f"{BETWEEN}/2", "-O", fetched, "--anchor", own)
    found = run_command("proof", "verify", fetched, "--anchor", own, "--anchor", other)
    assert found.code == 0, found.error


async def test_only_the_operators_own_anchors_judge(bundle: Path, exchange: Exchange) -> None:
    none = run_command("proof", "verify", bundle)
    assert (none.code, "--anchor is not given" in none.error) == (3, True)
    half = verify(bundle, ("hangzhou",))
    assert (half.code, "anchor of peers/suzhou is not given" in half.error) == (3, True)
    forged = exchange.anchor(HANGZHOU, 3)
    anchor_file.write(bundle.parent / "hangzhou.yaml", forged, peer=HANGZHOU)
    found = check(bundle)
    assert (found.code, "ANCHOR_MISMATCH" in found.error) == (4, True)


async def test_anchors_are_named_once(bundle: Path, exchange: Exchange) -> None:
    twice = verify(bundle, ("hangzhou", "hangzhou"))
    assert (twice.code, "is hangzhou once more" in twice.error) == (3, True)
    anchor_file.write(bundle.parent / "suzhou.yaml", exchange.anchor(SUZHOU), peer=None)
    assert "suzhou.yaml: name is missing" in check(bundle).error


async def test_trust_is_judged_as_of_a_time(bundle: Path) -> None:
    late = check(bundle, "--as-of", "2036-01-01T00:00:00Z")
    assert (late.code, "CLIENT_EXPIRED" in late.error) == (5, True)
    assert check(bundle, "--as-of", "2026-09-21T17:00:00+02:00").code == 0
    for odd in ("yesterday", "2026-09-21T15:00:00"):
        assert check(bundle, "--as-of", odd).code == 3


def _value(found: dict[str, Any]) -> None:
    found["packet"]["packet"]["payloads"][0]["value"] = "AAAA"


def _sequence(found: dict[str, Any]) -> None:
    found["packet"]["name"] = found["packet"]["name"][:-1] + "3"


def _answer(found: dict[str, Any]) -> None:
    found["packet"]["acknowledgement"]["appAcknowledgements"] = ["AAAA"]


def _no_answer(found: dict[str, Any]) -> None:
    del found["packet"]["acknowledgement"]


def _proof(found: dict[str, Any]) -> None:
    proof = found["commitment"]["proof"]
    found["commitment"]["proof"] = proof[:20] + ("A" if proof[20] != "A" else "B") + proof[21:]


def _header(found: dict[str, Any]) -> None:
    found["outcome"]["headers"].pop()


def _unknown(found: dict[str, Any]) -> None:
    found["trustMe"] = True


@pytest.mark.parametrize(
    ("tamper", "codes"),
    [
        (_value, {4}),
        (_sequence, {3}),
        (_answer, {4}),
        (_no_answer, {3}),
        (_proof, {3, 4}),
        (_header, {5}),
        (_unknown, {3}),
    ],
)
async def test_a_tampered_bundle_is_refused(bundle: Path, tamper: Any, codes: set[int]) -> None:
    tampered(bundle, tamper)
    assert check(bundle).code in codes


@pytest.mark.parametrize("content", ["", "[]", "{", "null", '{"packet": 7}', "{}", "[" * 3000])
async def test_what_is_no_bundle_is_refused(bundle: Path, content: str) -> None:
    file = bundle.with_name("other.json")
    await asyncio.to_thread(file.write_text, content)
    assert check(file).code == 3


async def test_files_that_cannot_be_used_are_named(ydhub: Desk, bundle: Path) -> None:
    missing = check(bundle.parent / "none.json")
    assert (missing.code, "none.json cannot be read" in missing.error) == (3, True)
    out = bundle.parent / "no" / "such.json"
    found = await ydhub("proof", "fetch", f"{BETWEEN}/2", "-O", out)
    assert (found.code, "such.json cannot be written" in found.error) == (3, True)


async def test_a_packet_without_an_end_shows_its_commitment(
    ydhub: Desk, exchange: Exchange, bundle: Path
) -> None:
    await exchange.accept(exchange.send())
    file = bundle.parent / "sent.json"
    await ydhub("proof", "fetch", f"{BETWEEN}/4", "-O", file)
    found = check(file)
    assert found.code == 0, found.error
    assert found.rows[2] == ["ended", "nothing", "is", "shown"]
