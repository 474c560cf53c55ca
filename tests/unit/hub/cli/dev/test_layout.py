from __future__ import annotations

from pathlib import Path

from hub.cli.dev.layout import ADAPTERS, CHAINS, PROCESSES, Layout, leaves
from hub.wire.identity.spiffe import Role

LAYOUT = Layout(Path("/net"))


def test_everything_lies_within_the_directory() -> None:
    files = [
        LAYOUT.dev_file,
        LAYOUT.ca,
        LAYOUT.postgres,
        LAYOUT.anchor("hub", "suzhou"),
        LAYOUT.chain("suzhou"),
        LAYOUT.adapter("suzhou"),
        *LAYOUT.certificate("hub"),
        *[LAYOUT.config(name) for name in (*PROCESSES, *ADAPTERS.values())],
        *[LAYOUT.log(name) for name in (*PROCESSES, "postgres")],
        *[LAYOUT.pid(name) for name in PROCESSES],
    ]
    assert all(file.is_relative_to(LAYOUT.directory) for file in files)
    assert len(set(files)) == len(files)


def test_every_identity_is_one_that_the_hub_knows() -> None:
    found = leaves()
    assert {identity.role for identity, _ in found.values()} == set(Role)
    assert [name for name, (_, serves) in found.items() if not serves] == ["admin"]
    assert [found[f"peer-{peer}"][0].peer() for peer in CHAINS] == list(CHAINS)
