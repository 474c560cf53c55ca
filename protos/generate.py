"""Write the Python code of every .proto file: ``python protos/generate.py [--out DIR]``.

The path of a .proto file is its protobuf package and its Python import path, so nothing is
rewritten afterwards. The same input gives the same bytes, and the output is replaced as a whole
only when all of it is written. tests/architecture compares the committed code with a fresh run.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

SOURCE = Path(__file__).resolve().parent
PACKAGE = "ydhub"
OUT = SOURCE / "gen"


def sources() -> list[Path]:
    """Every .proto file of the contract, sorted, relative to protos/."""
    return sorted(path.relative_to(SOURCE) for path in (SOURCE / PACKAGE).rglob("*.proto"))


def generate(out: Path) -> None:
    """*out*/ydhub holds the code of every .proto file, and nothing else.

    Raises ``RuntimeError`` if the compiler refuses a file; it has printed why.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".new-") as fresh:
        _compile(Path(fresh))
        _drop_empty_services(Path(fresh))
        _mark_packages(Path(fresh) / PACKAGE)
        shutil.rmtree(out / PACKAGE, ignore_errors=True)
        (Path(fresh) / PACKAGE).rename(out / PACKAGE)


def _compile(out: Path) -> None:
    options = {"python": "", "grpc_python": "", "mypy": "quiet:", "mypy_grpc": "quiet:"}
    arguments = [
        "protoc",
        f"--proto_path={SOURCE}",
        f"--proto_path={files('grpc_tools') / '_proto'}",
        *(_plugin(name) for name in options if name.startswith("mypy")),
        *(f"--{name}_out={option}{out}" for name, option in options.items()),
        *(path.as_posix() for path in sources()),
    ]
    if protoc.main(arguments) != 0:
        raise RuntimeError("protoc failed")


def _plugin(name: str) -> str:
    """The protoc option that names the plugin beside this interpreter."""
    return f"--plugin=protoc-gen-{name}={Path(sys.executable).parent / f'protoc-gen-{name}'}"


def _drop_empty_services(out: Path) -> None:
    """No ``*_pb2_grpc`` file is left of a .proto file without a service."""
    for source in sources():
        lines = (SOURCE / source).read_text().splitlines()
        if not any(line.startswith("service ") for line in lines):
            for suffix in (".py", ".pyi"):
                (out / source.with_name(f"{source.stem}_pb2_grpc{suffix}")).unlink(missing_ok=True)


def _mark_packages(package: Path) -> None:
    """Every directory is a regular package, and the whole is known to be typed."""
    for directory in [package, *(path for path in package.rglob("*") if path.is_dir())]:
        (directory / "__init__.py").touch()
    (package / "py.typed").touch()


def main() -> None:
    """Generate into protos/gen, or where ``--out`` says."""
    parser = argparse.ArgumentParser(description="Write the Python code of every .proto file.")
    parser.add_argument("--out", type=Path, default=OUT, help="directory to write to")
    generate(parser.parse_args().out.resolve())


if __name__ == "__main__":
    main()
