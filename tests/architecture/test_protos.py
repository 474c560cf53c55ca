"""The committed code of the contract is fresh, and the pinned runtimes can load it."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.harness.source_tree import ROOT, pyproject

if TYPE_CHECKING:
    from pathlib import Path

PROTOS = ROOT / "protos"
GENERATED = PROTOS / "gen"


def contents(top: Path) -> dict[str, bytes]:
    """Every file below *top* by its relative path; caches left out."""
    return {
        path.relative_to(top).as_posix(): path.read_bytes()
        for path in top.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def generated_for() -> dict[str, Version]:
    """The least runtime versions that the generated code demands when it is imported."""
    text = "".join(path.read_text() for path in GENERATED.rglob("*_pb2*.py"))
    numbers = re.search(r"ValidateProtobufRuntimeVersion\(\s*\S+\s+(\d+),\s*(\d+),\s*(\d+)", text)
    grpc = re.search(r"GRPC_GENERATED_VERSION = '([\d.]+)'", text)
    assert numbers is not None
    assert grpc is not None
    return {"protobuf": Version(".".join(numbers.groups())), "grpcio": Version(grpc[1])}


def test_the_committed_code_is_what_the_generator_writes(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, PROTOS / "generate.py", "--out", tmp_path], check=True, timeout=60
    )
    fresh = contents(tmp_path)
    committed = contents(GENERATED)
    assert sorted(fresh) == sorted(committed)
    assert [name for name in fresh if fresh[name] != committed[name]] == []


def test_every_message_and_service_has_code() -> None:
    for source in PROTOS.glob("ydhub/**/*.proto"):
        stem = GENERATED / source.relative_to(PROTOS).with_suffix("")
        serves = re.search(r"^service ", source.read_text(), re.MULTILINE) is not None
        assert stem.with_name(f"{stem.name}_pb2.pyi").is_file()
        assert stem.with_name(f"{stem.name}_pb2_grpc.py").is_file() == serves


def test_a_package_is_its_path() -> None:
    for source in PROTOS.glob("ydhub/**/*.proto"):
        package = re.search(r"^package (\S+);", source.read_text(), re.MULTILINE)
        assert package is not None
        assert package[1] == ".".join(source.relative_to(PROTOS).parent.parts)


@pytest.mark.parametrize("name", ["protobuf", "grpcio"])
def test_the_generated_code_loads_under_the_declared_and_the_pinned_runtime(name: str) -> None:
    needed = generated_for()[name]
    declared = {r.name: r for r in map(Requirement, pyproject()["project"]["dependencies"])}
    floor = next(s for s in declared[name].specifier if s.operator == ">=")
    lock = (ROOT / "requirements.lock").read_text()
    pinned = re.search(rf"^{name}==(\S+)", lock, re.MULTILINE)
    assert pinned is not None
    assert needed <= Version(floor.version) <= Version(pinned[1])
