"""Who examines an adapter with ``ydhub-conformance``, and the files that this takes."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from hub.cli.dev.configs import render
from tests.harness.certificates import Certificates
from tests.harness.ports import free_addresses

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PEER = "hangzhou"
ENVIRONMENT = {"PYTHONPATH": ":".join(sys.path)}


class Operator:
    """An operator at work in one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.certificates = Certificates.make(directory / "certs")
        self.exam_address, self.chain_address = free_addresses(2)

    async def conformance(self, *arguments: str) -> tuple[int, str]:
        """How the program ended, and what it printed; its complaint if it printed nothing."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "adapters.conformance",
            *arguments,
            cwd=self.directory,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=ENVIRONMENT,
        )
        output, errors = await process.communicate()
        assert process.returncode is not None
        return process.returncode, (output or errors).decode()

    async def run(self, *arguments: str) -> tuple[int, str]:
        """How the exam ended, with all files named."""
        certificate, key, ca = map(str, self.certificates.files("/relayers/examiner", serves=True))
        given = {
            "--peer": PEER,
            "--listen": self.exam_address,
            "--cert": certificate,
            "--key": key,
            "--ca": ca,
            "--anchor": f"{PEER}.yaml",
            "--sender": "sender.toml",
        }
        words = [word for pair in given.items() for word in pair]
        return await self.conformance("run", *words, *arguments)

    @asynccontextmanager
    async def adapter(self, *command: str) -> AsyncIterator[None]:
        """The adapter's program runs; its log is beside its configuration, and it ends in peace."""
        with (self.directory / f"{PEER}.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", *command, stderr=log, env=ENVIRONMENT
            )
            try:
                yield
            finally:
                if process.returncode is None:
                    process.terminate()
                await process.wait()
        assert process.returncode == 0, (self.directory / f"{PEER}.log").read_text()[-2000:]

    def write(self, name: str, values: dict[str, object]) -> Path:
        """*values* as the TOML file *name*."""
        file = self.directory / name
        file.write_text(render(values), encoding="utf-8")
        return file
