from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.simchain.misbehave import equivocate
from hub.cli import evidence as module
from hub.cli.evidence import evidence_name
from hub.core.errors import IdentifierInvalid, Reason
from hub.wire import anchor_file
from hub.wire.headers import header_to_proto
from tests.harness.command_line import run_command
from tests.harness.exchange import ADMIN, HANGZHOU, SUZHOU

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness.command_line import Desk
    from tests.harness.exchange import Exchange


@pytest.fixture
async def anchors(exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Suzhou has signed two blocks of one height; both operators' anchors lie there."""
    exchange.grow(6)
    await exchange.show_all()
    chain = exchange.chain(SUZHOU)
    height = chain.height - 2
    truths = [chain.light_block(height).header, equivocate(chain, height).header]
    first, second = [header_to_proto(header).SerializeToString() for header in truths]
    kept = (Reason.CONSENSUS_STATE_DIFFERS, first, second)
    await exchange.registry.clients.freeze(SUZHOU, "two headers", kept, ADMIN)
    for peer in (HANGZHOU, SUZHOU):
        anchor_file.write(tmp_path / f"{peer}.yaml", exchange.anchor(peer), peer=peer)
    now = exchange.path.now
    monkeypatch.setattr(module, "wall_clock", lambda: now)
    return tmp_path


@pytest.mark.usefixtures("anchors")
async def test_evidence_is_listed_with_where_it_was_carried(
    ydhub: Desk, exchange: Exchange
) -> None:
    mirror = await exchange.mirror(HANGZHOU)
    fence = exchange.fences[HANGZHOU]
    await exchange.registry.clients.note_carried(fence, SUZHOU, 1, mirror.client)
    found = await ydhub("client", "evidence", "list", "suzhou")
    assert found.rows[1][:2] == ["suzhou/client/evidence/1", "CONSENSUS_STATE_DIFFERS"]
    assert found.rows[1][-1] == f"hangzhou/clients/{mirror.client}"


@pytest.mark.parametrize("own", [(), ("--anchor", "suzhou.yaml")])
async def test_exported_evidence_verifies_offline(
    ydhub: Desk, anchors: Path, own: tuple[str, ...]
) -> None:
    file = anchors / "evidence.json"
    given = [anchors / word if word.endswith("yaml") else word for word in own]
    done = await ydhub("client", "evidence", "export", "suzhou/1", "-O", file, *given)
    assert done.error.startswith(f"peers/suzhou/client/evidence/1 is in {file}\n")
    found = run_command("client", "evidence", "verify", file, "--anchor", anchors / "suzhou.yaml")
    assert found.code == 0, found.error
    assert found.rows[1][:3] == ["shows", "two", "blocks"]


async def test_evidence_is_judged_by_the_anchor_of_its_own_chain_alone(
    ydhub: Desk, anchors: Path
) -> None:
    printed = await ydhub("client", "evidence", "export", "suzhou")
    file = anchors / "evidence.json"
    file.write_text(printed.out)
    verify = ("client", "evidence", "verify", file)
    assert run_command(*verify).code == 3
    assert run_command(*verify, "--anchor", anchors / "hangzhou.yaml").code == 3
    late = run_command(
        *verify, "--anchor", anchors / "suzhou.yaml", "--as-of", "2090-01-01T00:00:00Z"
    )
    assert (late.code, "CLIENT_EXPIRED" in late.error) == (5, True)


def test_evidence_is_named_by_its_peer_and_number() -> None:
    assert evidence_name("suzhou") == "peers/suzhou/client/evidence/1"
    assert evidence_name("suzhou/12") == "peers/suzhou/client/evidence/12"
    assert evidence_name("peers/suzhou/client/evidence/3") == "peers/suzhou/client/evidence/3"
    with pytest.raises(IdentifierInvalid):
        evidence_name("suzhou/x")
