"""Files and functions stay within the house budget."""

from __future__ import annotations

import ast

from tests.harness.source_tree import PACKAGES, ROOT, python_files, tree_of

MAX_FILE_LINES = 500
MAX_BODY_LINES = 40
"""Lines of a function without its signature and docstring."""


def long_functions(tree: ast.Module) -> list[str]:
    """Each function over the budget, with its line and its length."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            if lines > MAX_BODY_LINES:
                found.append(f"{node.name} (line {node.lineno}): {lines} lines")
    return found


def test_no_file_is_over_the_budget() -> None:
    lengths = {
        str(path): len((ROOT / path).read_text().splitlines())
        for path in python_files(*PACKAGES, "migrations", "tests", "protos")
    }
    assert {path: lines for path, lines in lengths.items() if lines > MAX_FILE_LINES} == {}


def test_no_function_is_over_the_budget() -> None:
    found = {
        str(path): long_functions(tree_of(path))
        for path in python_files(*PACKAGES, "migrations", "tests", "protos")
    }
    assert {path: names for path, names in found.items() if names} == {}


def test_a_function_one_line_over_the_budget_is_found() -> None:
    def source(lines: int) -> str:
        return 'def f() -> None:\n    """Text."""\n' + "    x = 1\n" * lines

    assert long_functions(ast.parse(source(MAX_BODY_LINES))) == []
    assert long_functions(ast.parse(source(MAX_BODY_LINES + 1))) == ["f (line 1): 41 lines"]
    assert long_functions(ast.parse("async " + source(MAX_BODY_LINES + 1))) != []
