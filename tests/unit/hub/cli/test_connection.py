from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from ydhub.peer.v1 import peer_service_pb2 as pb

from hub.cli import connection
from hub.cli.connection import connect
from hub.cli.settings import Given, resolve
from hub.core.errors import FieldInvalid, Reason
from hub.wire.status import RemoteError
from tests.harness.certificates import Certificates

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness.command_line import Desk
    from tests.harness.hub_server import Served


async def test_a_failed_call_is_told_by_its_reason(ydhub: Desk) -> None:
    async with connect(resolve(Given(directory=ydhub.directory))) as hub:
        with pytest.raises(RemoteError) as raised:
            await hub.call(hub.peers.GetPeer, pb.GetPeerRequest(name="peers/nowhere"))
    assert raised.value.reason is Reason.PEER_NOT_FOUND


async def test_every_page_of_a_list_is_asked_for(
    ydhub: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "PAGE_SIZE", 1)
    async with connect(resolve(Given(directory=ydhub.directory))) as hub:
        pages = [page async for page in hub.all(hub.peers.ListPeers, pb.ListPeersRequest())]
    assert [len(page.peers) for page in pages] == [1, 1]


async def test_files_that_are_missing_are_named(ydhub: Desk, tmp_path: Path) -> None:
    given = Given(directory=ydhub.directory, key_file=tmp_path / "none.key")
    with pytest.raises(FieldInvalid) as raised:
        async with connect(resolve(given)):
            pass
    assert raised.value.field == str(tmp_path / "none.key")


async def test_a_hub_that_is_away_or_wants_another_certificate_is_told(
    ydhub: Desk, served: Served, tmp_path: Path
) -> None:
    away = await ydhub("peer", "list", "--server", "127.0.0.1:1")
    assert (away.code, "error UNAVAILABLE" in away.error) == (9, True)
    strangers = Certificates.make(tmp_path / "strangers")
    certificate, key, _ = strangers.files("/admins/li")
    words = ("peer", "list", "--cert", certificate, "--key", key)
    refused = await ydhub(*words)
    assert (refused.code, "wants a certificate of its own CA" in refused.error) == (9, True)


async def test_an_identity_that_may_not_is_told(served: Served, ydhub: Desk) -> None:
    certificate, key, _ = served.certificates.files("/peers/hangzhou")
    found = await ydhub("peer", "list", "--cert", certificate, "--key", key)
    assert (found.code, "IDENTITY_NOT_ALLOWED" in found.error) == (8, True)
