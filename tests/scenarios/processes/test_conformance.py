"""The exam as an operator runs it: two programs, mutual TLS between them, files in a directory."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import msgspec
import pytest
from ydhub.simchain.v1 import simchain_service_pb2 as pb

from adapters.conformance.items import ITEMS
from hub.core.ids import PeerId
from hub.wire import anchor_file
from hub.wire.anchors import anchor_from_proto
from tests.harness.operator import PEER, Operator
from tests.harness.simchain_process import (
    adapter_of_two,
    chain_of_two,
    config_of,
    user,
    write_config,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from adapters.simchain.config import SimchainConfig

ANSWERS_WITHIN_S = 30
BLOCKS_MS = 250


@asynccontextmanager
async def chain(operator: Operator, *, is_split: bool = False) -> AsyncIterator[None]:
    """An embedded chain's process runs, whose adapter dials the examiner; its anchor is known.

    Where *is_split*, the adapter is a process of its own.
    """
    config = msgspec.structs.replace(
        config_of(operator.directory, operator.certificates, operator.exam_address),
        listen=operator.chain_address,
        counterparties={"examiner": str(operator.directory / "examiner.yaml")},
        block_interval_ms=BLOCKS_MS,
    )
    async with AsyncExitStack() as running:
        for name, one in enumerate(_of_two(config) if is_split else [config]):
            file = operator.directory / f"{name}.toml"
            write_config(one, file)
            command = ("adapters.simchain", "--config", str(file))
            await running.enter_async_context(operator.adapter(*command))
        await write_files(operator)
        yield


def _of_two(config: SimchainConfig) -> list[SimchainConfig]:
    """The chain's, and the adapter's that follows it."""
    port = int(config.listen.rpartition(":")[2])
    adapter = msgspec.structs.replace(adapter_of_two(config, port), listen="127.0.0.1:0")
    return [chain_of_two(config), adapter]


async def write_files(operator: Operator) -> None:
    """The chain's anchor, and its users, are in files."""
    port = int(operator.chain_address.rpartition(":")[2])
    async with user(operator.certificates, port) as stub, asyncio.timeout(ANSWERS_WITHIN_S):
        answer = await stub.GetAnchor(pb.GetAnchorRequest(), wait_for_ready=True)
    anchor = anchor_from_proto(answer.anchor, "anchor")
    anchor_file.write(operator.directory / f"{PEER}.yaml", anchor, peer=PeerId(PEER))
    certificate, key, ca = map(str, operator.certificates.files("/admins/ada"))
    users: dict[str, object] = {
        "kind": "simchain",
        "address": operator.chain_address,
        "cert_file": certificate,
        "key_file": key,
        "ca_file": ca,
        "sender": "alice",
        "denomination": "hzcoin",
        "receiver": "bob",
    }
    operator.write("sender.toml", users)


@pytest.mark.timeout(300)
async def test_an_embedded_chain_as_a_process_passes_the_exam(tmp_path: Path) -> None:
    operator = Operator(tmp_path)
    assert (await operator.conformance("anchor", "--out", "examiner.yaml"))[0] == 0
    async with chain(operator):
        code, output = await operator.run("--junit", "results.xml")
    assert output.splitlines()[-1].startswith("PASSED: the adapter of peers/hangzhou"), output
    assert code == 0, output
    suite = ET.parse(tmp_path / "results.xml").getroot()  # noqa: S314 - of our own making
    assert suite.get("tests") == str(len(ITEMS))
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "0")
    assert [case.get("name") for case in suite] == [item.name for item in ITEMS]


@pytest.mark.timeout(300)
async def test_an_adapter_apart_from_its_chain_passes_a_second_exam_too(tmp_path: Path) -> None:
    operator = Operator(tmp_path)
    assert (await operator.conformance("anchor", "--out", "examiner.yaml"))[0] == 0
    items = ("receive", "packets_shown", "misbehaviour", "conservation")
    only = [word for name in items for word in ("--only", name)]
    async with chain(operator, is_split=True):
        for _ in range(2):
            code, output = await operator.run(*only)
            assert code == 0, output


async def test_an_adapter_without_the_examiners_anchor_does_not_pass(tmp_path: Path) -> None:
    operator = Operator(tmp_path)
    async with chain(operator):
        code, output = await operator.run("--only", "hello", "--only", "create_client")
    assert code == 1
    assert "NOT PASSED" in output
    assert "ANCHOR_INVALID" in output or "FIELD_INVALID" in output


async def test_an_exam_that_cannot_begin_says_why_in_one_line(tmp_path: Path) -> None:
    code, output = await Operator(tmp_path).run()
    assert code == 3
    assert output.startswith("ydhub-conformance: FIELD_INVALID: hangzhou.yaml cannot be read")


async def test_the_list_names_every_item(tmp_path: Path) -> None:
    code, output = await Operator(tmp_path).conformance("list")
    assert code == 0
    assert all(item.name in output for item in ITEMS)
