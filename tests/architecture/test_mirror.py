"""Every module that does something has its test at the mirrored place in tests/unit."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

from tests.harness.source_tree import PACKAGES, ROOT, python_files, tree_of

if TYPE_CHECKING:
    from collections.abc import Iterable

PROGRAMS = {"__main__.py"}
"""They parse arguments and call an app; scenarios start them as processes."""

ELSEWHERE = {
    "hub/registry": "tests/registry: the memory twin and Postgres under the same assertions",
    "hub/server/services": "tests/rpc: over the wire",
    "hub/server/interceptors": "tests/rpc: around real calls, in test_calls and test_authority",
    "hub/server/enrolment.py": "tests/rpc/test_certificate_service.py",
    "hub/server/health.py": "tests/rpc/test_calls.py",
    "hub/server/reflection.py": "tests/rpc/test_calls.py",
    "hub/server/server.py": "tests/rpc: every test starts one",
}
"""Packages that are tested as a whole, and where."""


def does_something(tree: ast.Module) -> bool:
    """A function or method of *tree* has a body; declarations alone have none.

    Tables, enums, records, error classes and protocols need no mirror.
    """
    functions = (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    return any(not _is_declared_only(function) for function in functions)


def _is_declared_only(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return all(
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        for statement in function.body
    )


def mirror(path: Path) -> Path:
    """Where the test of *path* belongs."""
    return Path("tests/unit") / path.parent / f"test_{path.name}"


def is_below(path: Path, packages: Iterable[str]) -> bool:
    """*path* is a module of one of *packages*."""
    return any(path.is_relative_to(package) for package in packages)


def missing_mirrors(paths: list[Path]) -> list[str]:
    """Those of *paths* that do something and have no test at their mirrored place."""
    return [
        str(path)
        for path in paths
        if does_something(tree_of(path))
        and path.name not in PROGRAMS
        and not is_below(path, ELSEWHERE)
        and not (ROOT / mirror(path)).is_file()
    ]


def test_every_module_has_its_mirror() -> None:
    assert missing_mirrors(python_files(*PACKAGES)) == []


def test_a_module_without_a_mirror_is_found() -> None:
    assert missing_mirrors([Path("protos/generate.py")]) == ["protos/generate.py"]


def test_only_a_body_makes_a_module_do_something() -> None:
    declared = (
        'class Port(Protocol):\n    async def get(self) -> int:\n        """Text."""\n        ...\n'
    )
    assert not does_something(ast.parse(declared))
    assert does_something(ast.parse(declared.replace("...", "return 1")))
