"""Draws the overview from real data: ``python -m deploy.grafana.picture``.

A development network carries packets both ways between three cities for some minutes, one adapter
is killed for a while on the way, Debian's Prometheus scrapes the hub and the relayer, and what its
HTTP API answers for the panels' own expressions is drawn. Everything runs in a temporary directory
and is gone afterwards.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from deploy.grafana.panels import DASHBOARDS
from deploy.grafana.svg import Series, draw
from hub.cli.clock import wall_clock
from hub.cli.dev.configs import token
from hub.cli.dev.layout import CHAINS
from hub.cli.dev.network import Network
from hub.core.time import MILLISECOND, SECOND, Duration

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from deploy.grafana.panels import Panel, Query
    from hub.cli.dev.addresses import Addresses

PICTURE: Final = Path(__file__).parent / "overview.svg"
RUN_S: Final = 240
AWAY_FROM_S: Final = 120
AWAY_FOR_S: Final = 30
WAVE_S: Final = 4
STEP_S: Final = 2
PROMETHEUS: Final = "prometheus"
_WAVES: Final = (300, 500, 800, 1200, 800, 400)
"""Packets of each wave and lane, over and over."""
_HANGZHOU, _SUZHOU, _SHANGHAI = map(str, CHAINS)
_PAIRS: Final = ((_HANGZHOU, _SUZHOU), (_HANGZHOU, _SHANGHAI))


async def picture() -> str:
    """The overview of a network under load."""
    if shutil.which(PROMETHEUS) is None:
        raise SystemExit("missing; on Debian: apt-get install prometheus")
    with TemporaryDirectory(prefix="ydhub-picture-") as made:
        directory = Path(made)
        network = Network(directory / "net", _tell, block_interval=Duration(500 * MILLISECOND))
        try:
            chosen = await network.up()
            await _open(directory / "net")
            async with _prometheus(directory / "prometheus", chosen) as address:
                began = wall_clock() // SECOND
                await _load(network, directory / "net")
                return await asyncio.to_thread(_draw, address, began, wall_clock() // SECOND)
        finally:
            await network.down()


def main() -> None:
    """Writes the picture."""
    content = asyncio.run(picture())
    PICTURE.write_text(content, encoding="utf-8")
    sys.stderr.write(f"{PICTURE}: {len(content.encode())} bytes\n")


async def _open(directory: Path) -> None:
    """The peers are registered and the lanes open."""
    for peer in CHAINS:
        file = directory / "anchors" / "hub" / f"{peer}.yaml"
        await _ydhub("peer", "register", "-f", str(file), "--dir", str(directory))
    for source, to in _PAIRS:
        words = ("--from", source, "--to", to, "--allow", "transfer~transfer", "--wait")
        await _ydhub("lane", "open", *words, "--dir", str(directory))


async def _load(network: Network, directory: Path) -> None:
    """Waves of packets on every lane; one city's adapter is away for a while."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    is_away, was_away = False, False
    for wave in range(RUN_S // WAVE_S):
        passed = loop.time() - began
        if not was_away and passed >= AWAY_FROM_S:
            network.processes.send(_SUZHOU, signal.SIGKILL)
            is_away = was_away = True
        if is_away and passed >= AWAY_FROM_S + AWAY_FOR_S:
            await network.start(_SUZHOU)
            is_away = False
        lanes = [*_PAIRS, *[(to, source) for source, to in _PAIRS]]
        living = [pair for pair in lanes if not (is_away and pair[0] == _SUZHOU)]
        count = _WAVES[wave % len(_WAVES)]
        await asyncio.gather(*[_send(directory, source, to, count) for source, to in living])
        await asyncio.sleep(max(0.0, began + (wave + 1) * WAVE_S - loop.time()))


async def _send(directory: Path, source: str, to: str, count: int) -> None:
    who = ("--from", source, "--to", to, "--sender", "alice", "--receiver", "bob")
    what = ("--amount", "1", "--token", token(source), "--count", str(count))
    await _ydhub("packet", "send", *who, *what, "--dir", str(directory))


async def _ydhub(*words: str) -> None:
    """The command has done what it says. Raises ``RuntimeError``."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hub.cli.main", *words),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    _, error = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"ydhub {' '.join(words)}: {error.decode()}")


@asynccontextmanager
async def _prometheus(directory: Path, chosen: Addresses) -> AsyncIterator[str]:
    """A Prometheus that scrapes the network once a second; its address."""
    config = {
        "global": {"scrape_interval": "1s"},
        "scrape_configs": [
            _job("ydhub-hub", chosen.hub_metrics),
            _job("ydhub-relayer", chosen.metrics),
        ],
    }
    await asyncio.to_thread(_write, directory / "prometheus.yaml", json.dumps(config))
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    process = await asyncio.create_subprocess_exec(
        PROMETHEUS,
        f"--config.file={directory / 'prometheus.yaml'}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address={address}",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not await asyncio.to_thread(_is_ready, address):  # noqa: ASYNC110 - a process
            await asyncio.sleep(0.2)
        yield address
    finally:
        process.terminate()
        await process.wait()


def _job(name: str, address: str) -> dict[str, Any]:
    return {"job_name": name, "static_configs": [{"targets": [address]}]}


def _write(file: Path, content: str) -> None:
    """JSON is YAML too."""
    file.parent.mkdir()
    file.write_text(content, encoding="utf-8")


def _is_ready(address: str) -> bool:
    try:
        with urlopen(f"http://{address}/-/ready", timeout=5) as answer:
            return bool(answer.status == 200)  # noqa: PLR2004 - HTTP's OK
    except (URLError, OSError):
        return False


def _draw(address: str, began: int, ended: int) -> str:
    overview = DASHBOARDS[0]
    found = {panel.title: _lines(address, panel, began, ended) for panel in overview.panels}
    return draw(overview, found)


def _lines(address: str, panel: Panel, began: int, ended: int) -> list[Series]:
    lines = [one for query in panel.queries for one in _ask(address, query, began, ended)]
    return sorted(lines, key=lambda line: line.legend)


def _ask(address: str, query: Query, began: int, ended: int) -> list[Series]:
    """The series of *query*, as Prometheus's HTTP API answers."""
    asked = urlencode({"query": query.expr, "start": began, "end": ended, "step": STEP_S})
    with urlopen(f"http://{address}/api/v1/query_range?{asked}", timeout=30) as answer:
        found = json.load(answer)
    return [
        Series(
            _legend(query.legend, one["metric"]),
            tuple([(float(time), float(value)) for time, value in one["values"]]),
        )
        for one in found["data"]["result"]
    ]


def _legend(template: str, labels: dict[str, str]) -> str:
    for name, value in labels.items():
        template = template.replace(f"{{{{{name}}}}}", value)
    return template


def _tell(what: str, how: str) -> None:
    sys.stderr.write(f"  {what:<13} {how}\n")


if __name__ == "__main__":
    main()
