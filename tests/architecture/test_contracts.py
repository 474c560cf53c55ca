"""Every import contract can fail: one forbidden import breaks it, and no other contract."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.harness.source_tree import PACKAGES, ROOT, pyproject

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTRACTS = pyproject()["tool"]["importlinter"]["contracts"]

PLANTS = [
    # contract, module that is planted, what it imports; a target named planted is planted too
    ("hub-storeys", "hub.exchange.planted", "hub.wire.planted"),
    ("hub-storeys", "hub.planted", ""),
    ("system-storeys", "relayer.planted", "adapters.sdk.planted"),
    ("pure-floor", "hub.core.planted", "asyncio"),
    ("pure-floor", "hub.light_clients.cometbft.planted", "time"),
    ("light-clients", "hub.light_clients.planted", ""),
    ("protobuf", "hub.exchange.planted", "ydhub.errors.v1.reason_pb2"),
    ("protobuf", "hub.registry.planted", "google.protobuf.message"),
    ("grpc", "hub.exchange.planted", "grpc"),
    ("grpc", "hub.wire.planted", "grpc.aio"),
    ("sql", "hub.exchange.planted", "sqlalchemy"),
    ("sql", "relayer.planted", "asyncpg"),
    ("sql", "adapters.sdk.planted", "sqlalchemy.ext.asyncio"),
    ("composition-roots", "hub.server.planted", "hub.registry.planted"),
    ("composition-roots", "relayer.planted", "hub.registry.planted"),
    ("twin", "hub.registry.planted", "hub.registry.memory.planted"),
    ("city-side", "adapters.sdk.planted", "hub.ports.planted"),
    ("city-side", "adapters.simchain.planted", "hub.exchange.planted"),
    ("adapters", "adapters.cosmos.planted", "adapters.simchain.planted"),
    ("adapters", "adapters.planted", ""),
    ("pure-steps", "relayer.steps.planted", "random"),
    ("cycles", "hub.core.planted", "hub.core.planted_too"),
]

CYCLE = {"hub.core.planted_too": "import hub.core.planted\n"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages and of their contracts."""
    copy = tmp_path_factory.mktemp("tree")
    for package in (*PACKAGES, "protos/gen/ydhub"):
        shutil.copytree(
            ROOT / package, copy / Path(package).name, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


@pytest.fixture
def planted(tree: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The copy with one module more, and with what that imports; both are taken out again."""
    importer, imported = request.param
    modules = {importer: f"import {imported}\n" if imported else ""}
    if "planted" in imported:
        modules[imported] = CYCLE.get(imported, "")
    files = [tree.joinpath(*name.split(".")).with_suffix(".py") for name in modules]
    for file, text in zip(files, modules.values(), strict=True):
        file.write_text(text)
    yield tree
    for file in files:
        file.unlink()


def broken(tree: Path) -> list[str]:
    """The ids of the contracts that the packages in *tree* break."""
    run = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=tree, check=False, capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(tree), "COLUMNS": "200"},
    )  # fmt: skip
    verdicts = dict(re.findall(r"^(.+) (KEPT|BROKEN)", run.stdout, re.MULTILINE))
    assert set(verdicts) == {contract["name"] for contract in CONTRACTS}, run.stdout
    return [c["id"] for c in CONTRACTS if verdicts[c["name"]] == "BROKEN"]


def test_the_tree_as_it_stands_breaks_nothing(tree: Path) -> None:
    assert broken(tree) == []


@pytest.mark.parametrize(
    ("contract", "planted"),
    [(contract, (importer, imported)) for contract, importer, imported in PLANTS],
    indirect=["planted"],
    ids=[f"{contract}: {importer} imports {imported}" for contract, importer, imported in PLANTS],
)
def test_a_forbidden_import_breaks_its_contract_alone(contract: str, planted: Path) -> None:
    assert broken(planted) == [contract]


def test_every_contract_is_broken_once() -> None:
    assert {contract["id"] for contract in CONTRACTS} == {contract for contract, _, _ in PLANTS}


def test_only_the_composition_roots_are_spared_by_their_contract() -> None:
    """A new package of the hub must be named among those that may not choose the database."""
    contract = next(c for c in CONTRACTS if c["id"] == "composition-roots")
    packages = {f"hub.{path.parent.name}" for path in (ROOT / "hub").glob("*/__init__.py")}
    assert set(contract["source_modules"]) == packages - {"hub.registry"} | {"relayer", "adapters"}
