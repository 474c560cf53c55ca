from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from adapters.cosmos.process import CosmosProcess
from hub.core.errors import FieldInvalid
from tests.harness.clock import FixedChance, ManualClock, settle
from tests.harness.cosmos_process import config_of, spawn, write_config


def process_of(config: object) -> CosmosProcess:
    return CosmosProcess(config, ManualClock(), FixedChance())  # type: ignore[arg-type]


async def test_a_directory_has_one_process_and_is_free_when_it_ends(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    first = process_of(config)
    with pytest.raises(FieldInvalid) as caught:
        process_of(config)
    assert caught.value.field == "directory"
    before = asyncio.all_tasks()
    work = asyncio.ensure_future(first.run())
    await settle()
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    await settle()
    assert work.cancelled()
    assert asyncio.all_tasks() == before
    again = process_of(config)
    again._opened.close()


async def test_a_process_that_cannot_be_joined_holds_nothing(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    log = tmp_path / "state" / "accepted.jsonl"
    log.mkdir(parents=True)
    with pytest.raises(FieldInvalid):
        process_of(config)
    log.rmdir()
    process_of(config)._opened.close()


@pytest.mark.parametrize("name", ["state", "state/lock"])
async def test_a_directory_that_cannot_be_used_is_told(tmp_path: Path, name: str) -> None:
    config = config_of(tmp_path)
    if name == "state":
        (tmp_path / "state").write_text("a file")
    else:
        (tmp_path / name).mkdir(parents=True)
    with pytest.raises(FieldInvalid) as caught:
        process_of(config)
    assert caught.value.field == "directory"


def test_keys_that_others_can_read_start_nothing(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    Path(config.keys.file).chmod(0o640)
    with pytest.raises(FieldInvalid) as caught:
        process_of(config)
    assert caught.value.field == config.keys.file


async def test_without_a_chain_it_stays_and_ends_in_peace(tmp_path: Path) -> None:
    file = tmp_path / "suzhou.toml"
    write_config(config_of(tmp_path), file)
    process = await spawn("run", "--config", str(file))
    assert process.stderr is not None
    lines: list[bytes] = []
    while sum(b'"block_not_read"' in line for line in lines) < 2:
        lines.append(await asyncio.wait_for(process.stderr.readline(), 10))
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    _, rest = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 0, rest
    lines += rest.splitlines(keepends=True)
    assert all(line.startswith(b"{") for line in lines), "one JSON object a line"
    assert b'"cosmos_stopped"' in lines[-1]
    assert len(lines) < 40, "a chain that is down is not asked without a pause"
    process_of(config_of(tmp_path))._opened.close()
