"""The exam as an operator runs it: two programs, mutual TLS between them, files in a directory."""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import msgspec
import pytest
from ydhub.simchain.v1 import simchain_service_pb2 as pb

from adapters.conformance.items import ITEMS
from hub.core.ids import PeerId
from hub.wire import anchor_file
from hub.wire.anchors import anchor_from_proto
from tests.harness.certificates import Certificates
from tests.harness.simchain_process import config_of, user, write_config

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PEER = PeerId("hangzhou")
ANSWERS_WITHIN_S = 30
BLOCKS_MS = 250


class Operator:
    """Who examines an embedded chain's adapter, with files of the two."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.certificates = Certificates.make(directory / "certs")
        self.exam_address, self.chain_address = free_addresses()

    async def conformance(self, *arguments: str) -> tuple[int, str]:
        """How the program ended, and its standard output."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "adapters.conformance",
            *arguments,
            cwd=self.directory,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"PYTHONPATH": ":".join(sys.path)},
        )
        output, errors = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode() + (errors.decode() if not output else "")

    async def run(self, *arguments: str) -> tuple[int, str]:
        """How the exam ended, with all files named."""
        certificate, key, ca = map(str, self.certificates.files("/relayers/examiner", serves=True))
        given = {
            "--peer": PEER,
            "--listen": self.exam_address,
            "--cert": certificate,
            "--key": key,
            "--ca": ca,
            "--anchor": "hangzhou.yaml",
            "--sender": "sender.toml",
        }
        return await self.conformance(
            "run", *[x for pair in given.items() for x in pair], *arguments
        )

    @asynccontextmanager
    async def chain(self) -> AsyncIterator[None]:
        """The chain's process runs, whose adapter dials the examiner; its anchor is known."""
        config = msgspec.structs.replace(
            config_of(self.directory, self.certificates, self.exam_address),
            listen=self.chain_address,
            counterparties={"examiner": str(self.directory / "examiner.yaml")},
            block_interval_ms=BLOCKS_MS,
        )
        file = self.directory / "hangzhou.toml"
        write_config(config, file)
        command = (sys.executable, "-m", "adapters.simchain", "--config", str(file))
        with (self.directory / "hangzhou.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *command, stderr=log, env={"PYTHONPATH": ":".join(sys.path)}
            )
            try:
                await self._write_files()
                yield
            finally:
                process.terminate()
                await process.wait()
        assert process.returncode == 0

    async def _write_files(self) -> None:
        port = int(self.chain_address.rpartition(":")[2])
        async with user(self.certificates, port) as stub, asyncio.timeout(ANSWERS_WITHIN_S):
            request = pb.GetAnchorRequest()
            answer = await stub.GetAnchor(request, wait_for_ready=True)
        anchor = anchor_from_proto(answer.anchor, "anchor")
        anchor_file.write(self.directory / "hangzhou.yaml", anchor, peer=PEER)
        certificate, key, ca = map(str, self.certificates.files("/admins/ada"))
        lines = {
            "kind": "simchain",
            "address": self.chain_address,
            "cert_file": certificate,
            "key_file": key,
            "ca_file": ca,
            "sender": "alice",
            "denomination": "hzcoin",
            "receiver": "bob",
        }
        text = "".join([f'{name} = "{value}"\n' for name, value in lines.items()])
        (self.directory / "sender.toml").write_text(text)


def free_addresses() -> list[str]:
    with closing(socket.socket()) as first, closing(socket.socket()) as second:
        for one in (first, second):
            one.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{one.getsockname()[1]}" for one in (first, second)]


@pytest.mark.timeout(300)
async def test_an_embedded_chain_as_a_process_passes_the_exam(tmp_path: Path) -> None:
    operator = Operator(tmp_path)
    assert (await operator.conformance("anchor", "--out", "examiner.yaml"))[0] == 0
    async with operator.chain():
        code, output = await operator.run("--junit", "results.xml")
    assert output.splitlines()[-1].startswith("PASSED: the adapter of peers/hangzhou"), output
    assert code == 0, output
    suite = ET.parse(tmp_path / "results.xml").getroot()  # noqa: S314 - of our own making
    assert suite.get("tests") == str(len(ITEMS))
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "0")
    assert [case.get("name") for case in suite] == [item.name for item in ITEMS]


@pytest.mark.timeout(300)
async def test_an_adapter_without_the_examiners_anchor_does_not_pass(tmp_path: Path) -> None:
    operator = Operator(tmp_path)
    async with operator.chain():
        code, output = await operator.run("--only", "hello", "--only", "create_client")
    assert code == 1
    assert "NOT PASSED" in output
    assert "ANCHOR_INVALID" in output or "FIELD_INVALID" in output


async def test_an_exam_that_cannot_begin_says_why_in_one_line(tmp_path: Path) -> None:
    operator = Operator(tmp_path)
    code, output = await operator.run()
    assert code == 3
    assert output.startswith("ydhub-conformance: FIELD_INVALID: hangzhou.yaml cannot be read")


async def test_the_list_names_every_item(tmp_path: Path) -> None:
    code, output = await Operator(tmp_path).conformance("list")
    assert code == 0
    assert all(item.name in output for item in ITEMS)
