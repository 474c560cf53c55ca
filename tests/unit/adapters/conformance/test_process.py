from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from adapters.conformance.process import (
    Terms,
    opened,
    run,
    sender_of,
    trust_domain_of,
    write_anchor,
)
from adapters.conformance.simchain_sender import SimchainSender
from adapters.cosmos.tx.keys import write_new_keys
from hub.core.errors import AnchorMismatch, FieldInvalid, HubError, IdentifierInvalid
from hub.core.ids import PeerId
from hub.wire import anchor_file
from tests.harness.anchors import make_anchor
from tests.harness.certificates import TRUST_DOMAIN, Certificates
from tests.harness.clock import ManualClock

if TYPE_CHECKING:
    from pathlib import Path


def terms_of(directory: Path, **changes: Any) -> Terms:
    certificates = Certificates.make(directory / "certs")
    certificate, key, ca = map(str, certificates.files("/relayers/examiner", serves=True))
    file = directory / "hangzhou.yaml"
    anchor_file.write(file, make_anchor("hangzhou-1"), peer=PeerId("hangzhou"))
    values: dict[str, Any] = {
        "peer": "hangzhou",
        "listen": "127.0.0.1:0",
        "cert_file": certificate,
        "key_file": key,
        "ca_file": ca,
        "anchor_file": str(file),
        "directory": directory / "examiner",
    }
    return Terms(**{**values, **changes})


async def test_an_exam_that_begins_can_be_dialled(tmp_path: Path) -> None:
    async with opened(terms_of(tmp_path), ManualClock()) as (exam, port):
        assert port > 0
        assert exam.subject.anchor == make_anchor("hangzhou-1")
        with pytest.raises(FieldInvalid):
            async with opened(terms_of(tmp_path, listen=f"127.0.0.1:{port}"), ManualClock()):
                pass


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"peer": "suzhou"}, AnchorMismatch),
        ({"peer": "Hangzhou!"}, IdentifierInvalid),
        ({"examiner": "hangzhou"}, FieldInvalid),
        ({"anchor_file": "nothing.yaml"}, FieldInvalid),
        ({"sender_file": "nothing.toml"}, FieldInvalid),
        ({"cert_file": "nothing.crt"}, FieldInvalid),
        ({"only": ["singing"]}, FieldInvalid),
    ],
)
async def test_an_exam_that_cannot_begin_says_why(
    tmp_path: Path, changes: dict[str, Any], error: type[HubError]
) -> None:
    with pytest.raises(error):
        await run(terms_of(tmp_path, **changes), ManualClock(), lambda _: None)


def test_the_anchor_that_is_written_is_of_a_new_block_each_time(tmp_path: Path) -> None:
    file = str(tmp_path / "examiner.yaml")
    heights = []
    for _ in range(2):
        write_anchor(tmp_path / "examiner", file, "examiner", ManualClock())
        peer, anchor = anchor_file.read(file)
        assert peer == "examiner"
        heights.append(anchor.height.number)
    assert heights[0] < heights[1]


async def test_users_are_of_the_kind_that_their_file_names(tmp_path: Path) -> None:
    certificates = Certificates.make(tmp_path / "certs")
    certificates.files("/admins/ada")
    write_new_keys(tmp_path / "user.keys", 1, "cosmos")
    file = tmp_path / "sender.toml"
    file.write_text(
        'kind = "simchain"\naddress = "127.0.0.1:1"\ncert_file = "certs/admins-ada.crt"\n'
        'key_file = "certs/admins-ada.key"\nca_file = "certs/ca.crt"\nsender = "alice"\n'
        'denomination = "coin"\nreceiver = "bob"\n'
    )
    simchain = sender_of(str(file), ManualClock())
    assert isinstance(simchain, SimchainSender)
    assert simchain.receiver == "bob"
    file.write_text(
        'kind = "cosmos"\nchain_id = "hangzhou-1"\nnodes = ["http://127.0.0.1:1"]\n'
        'keys_file = "user.keys"\ndenomination = "coin"\n'
    )
    cosmos = sender_of(str(file), ManualClock())
    assert cosmos.receiver.startswith("cosmos1")
    for sender in (simchain, cosmos):
        await sender.close()


async def test_without_its_libraries_a_cosmos_chain_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "sender.toml"
    file.write_text(
        'kind = "cosmos"\nchain_id = "hangzhou-1"\nnodes = ["http://127.0.0.1:1"]\n'
        'keys_file = "user.keys"\ndenomination = "coin"\n'
    )
    monkeypatch.setitem(sys.modules, "adapters.conformance.cosmos_sender", None)
    with pytest.raises(FieldInvalid, match="ydhub\\[cosmos\\]"):
        sender_of(str(file), ManualClock())


def test_the_trust_domain_is_the_examiners_own(tmp_path: Path) -> None:
    certificates = Certificates.make(tmp_path)
    assert trust_domain_of(str(certificates.files("/relayers/examiner")[0])) == TRUST_DOMAIN
    for name in ("ca.crt", "nothing.crt"):
        with pytest.raises(FieldInvalid):
            trust_domain_of(str(tmp_path / name))
