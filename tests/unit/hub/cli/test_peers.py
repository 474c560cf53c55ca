from __future__ import annotations

from typing import TYPE_CHECKING

from hub.core.ids import PeerId
from hub.wire import anchor_file
from tests.harness.anchors import make_anchor

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness.command_line import Desk
    from tests.harness.exchange import Exchange


def peer_file(directory: Path, *, named: bool = True) -> Path:
    path = directory / "shanghai.yaml"
    peer = PeerId("shanghai") if named else None
    anchor_file.write(path, make_anchor("shanghai-1"), peer=peer, display_name="上海")
    return path


async def test_a_peer_is_registered_from_a_file(ydhub: Desk, tmp_path: Path) -> None:
    path = peer_file(tmp_path)
    checked = await ydhub("peer", "register", "-f", path, "--dry-run")
    assert (checked.code, checked.error) == (0, "peers/shanghai would be registered\n")
    done = await ydhub("peer", "register", "-f", path)
    assert (done.code, done.error) == (0, "peers/shanghai is registered\n")
    again = await ydhub("peer", "register", "-f", path, "-o", "json")
    assert again.error == "peers/shanghai was registered before\n"
    assert again.json["displayName"] == "上海"


async def test_a_file_without_a_name_registers_nothing(ydhub: Desk, tmp_path: Path) -> None:
    found = await ydhub("peer", "register", "-f", peer_file(tmp_path, named=False))
    assert found.code == 3
    assert "shanghai.yaml: name is missing" in found.error


async def test_peers_are_listed(ydhub: Desk) -> None:
    found = await ydhub("peer", "list")
    assert found.code == 0
    assert found.rows[0][:4] == ["PEER", "NAME", "STATE", "CHAIN"]
    assert found.rows[1][:6] == [
        "hangzhou", "Hangzhou", "ACTIVE", "hangzhou-1", "attached", "east-1",
    ]  # fmt: skip
    listed = await ydhub("peer", "list", "-o", "json")
    assert [peer["name"] for peer in listed.json["peers"]] == ["peers/hangzhou", "peers/suzhou"]


async def test_a_peer_is_found_by_its_short_name(ydhub: Desk) -> None:
    for name in ("hangzhou", "peers/hangzhou"):
        found = await ydhub("peer", "get", name, "-o", "json")
        assert found.json["identity"] == "spiffe://ydhub.local/peers/hangzhou"


async def test_the_anchor_is_shown_as_an_operators_file_has_it(
    ydhub: Desk, exchange: Exchange
) -> None:
    found = await ydhub("peer", "describe", "suzhou")
    anchor = exchange.anchor(PeerId("suzhou"))
    assert f"anchor.header_hash           {anchor.header_hash.hex()}" in found.out
    assert "anchor.height                1-2" in found.out
    assert "over another channel" in found.error


async def test_a_peer_that_is_none_is_told_with_its_fix(ydhub: Desk) -> None:
    found = await ydhub("peer", "get", "nowhere")
    assert (found.code, found.out) == (6, "")
    assert "error PEER_NOT_FOUND: peers/nowhere is not registered" in found.error
    assert "  fix  see which there are: `ydhub peer list`" in found.error
    assert "  more request " in found.error
    odd = await ydhub("peer", "get", "No Where")
    assert odd.code == 3


async def test_a_peer_is_suspended_for_a_cause_and_resumed(ydhub: Desk) -> None:
    assert (await ydhub("peer", "suspend", "suzhou")).code == 2
    found = await ydhub("peer", "suspend", "suzhou", "--cause", "inspection")
    assert (found.code, found.error) == (0, "peers/suzhou is suspended\n")
    assert ["suspended", "for", "inspection"] in found.rows
    again = await ydhub("peer", "suspend", "suzhou", "--cause", "again")
    assert again.error == "peers/suzhou was suspended before\n"
    resumed = await ydhub("peer", "resume", "suzhou", "--cause", "passed")
    assert (resumed.error, ["state", "ACTIVE"] in resumed.rows) == (
        "peers/suzhou takes part again\n",
        True,
    )
    twice = await ydhub("peer", "resume", "suzhou", "--cause", "passed")
    assert twice.error == "peers/suzhou took part before\n"
