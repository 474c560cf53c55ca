"""What the parts are told; tests/bench starts them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.cli.bench.line_process import LineProcess
from hub.cli.bench.options import Options
from hub.cli.bench.plan import make_plan
from hub.cli.bench.system import Program, System, run_server, system
from hub.cli.clock import wall_clock
from hub.cli.dev.ca import open_authority
from hub.cli.loopback import HOST
from hub.core.errors import RegistryUnreachable

if TYPE_CHECKING:
    from pathlib import Path

NOWHERE = "postgresql://postgres@127.0.0.1:1/nowhere"


async def test_peers_are_dealt_out_to_relayers_each_with_its_own_certificate(
    tmp_path: Path,
) -> None:
    registry = await LineProcess.start("none", "this", log=tmp_path / "log")
    found = System(
        directory=tmp_path,
        authority=open_authority(tmp_path / "ca", now=wall_clock()),
        registry=registry,
        url="",
    )
    found.relayers += [
        Program(name=f"r{port}", address=f"{HOST}:{port}", log=tmp_path, process=registry._process)
        for port in (1, 2)
    ]
    asked = found.sessions(make_plan(Options(peers=3)))
    assert asked["addresses"] == {
        "city-1": f"{HOST}:1",
        "city-2": f"{HOST}:2",
        "city-3": f"{HOST}:1",
    }
    files = {tuple(found.files(f"/peers/city-{number}")) for number in (1, 2, 3)}
    assert len(files) == 3
    assert set(asked["files"].values()) == files
    await registry.close()


async def test_a_server_that_fails_is_told_by_its_last_line() -> None:
    with pytest.raises(RegistryUnreachable) as raised:
        await run_server("migrate", "--database-url", NOWHERE)
    assert "REGISTRY_UNREACHABLE" in raised.value.problem


async def test_nothing_is_started_over_a_database_that_is_away(tmp_path: Path) -> None:
    options = Options(database_url=NOWHERE)
    with pytest.raises(RegistryUnreachable):
        async with system(tmp_path, options, make_plan(options), {}):
            raise AssertionError
    assert not any(tmp_path.iterdir())  # noqa: ASYNC240 - a look
