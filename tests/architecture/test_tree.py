"""What may stand in the tree: no key, no machine, no registry, nothing unfinished."""

from __future__ import annotations

import re

import pytest

from tests.harness.source_tree import ROOT, tracked_files

ROOT_NAMES = {
    "adapters", "deploy", "hub", "migrations", "protos", "relayer", "tests",
    ".ci", ".gitattributes", ".gitignore", "ARCHITECTURE.md", "CHANGELOG.md", "GLOSSARY.md",
    "LICENSE", "Makefile", "README.md", "SECURITY.md", "pyproject.toml", "requirements.lock",
}  # fmt: skip
"""The root is the first page of the book. Source: design section 2."""

FORBIDDEN = {
    "a private key": r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY|AGE-SECRET-[K]EY-1",
    "a token": r"\b(?:ghp|gho|ghs|glpat|xox[abp])[-_]\w{20,}|\bsk-\w{20,}|\bAKIA[0-9A-Z]{16}\b",
    "a password in an address": r"://[\w.-]+:[^/\s@{}]+@(?!localhost|127\.0\.0\.1)",
    "a path of one machine": r"(?<![\w.}~-])/(?:work|root|home|Users|tmp)/",
    "a registry": r"pypi\.(?:org|python)|python[h]osted|registry\.npmjs|crates\.io/|proxy\.golang"
    r"|(?<!emit-)index[-]url|find[-]links|/[s]imple/?\b|[g]oproxy|[a]rtifactory|/[n]exus/",
    "something unfinished": r"\b(?:TO[D]O|FIX[M]E|XX[X]|HAC[K])\b",
}
"""What no line of a tracked file may hold, as a regular expression; none matches itself."""

PIN = re.compile(r"[a-z0-9-]+(\[[a-z]+\])?==[\w.]+( ; [\w' !=]+(?: and [\w' !=]+)*)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")


def findings(name: str, text: str) -> list[str]:
    """What *text*, the file *name*, holds that it may not, with its line."""
    return [
        f"{name}:{number}: {what}"
        for what, pattern in FORBIDDEN.items()
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(pattern, line)
    ]


def test_the_root_holds_what_the_design_names() -> None:
    assert {path.parts[0] for path in tracked_files()} - ROOT_NAMES == set()


def test_no_tracked_file_holds_what_it_may_not() -> None:
    found = []
    for path in tracked_files():
        content = (ROOT / path).read_bytes()
        if b"\0" not in content:
            found += findings(path.as_posix(), content.decode())
    assert found == []


def test_the_lock_file_holds_pins_and_hashes_alone() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    odd = [line for line in lines if not (PIN.fullmatch(line) or HASH.fullmatch(line))]
    assert [line for line in odd if not line.startswith("#")] == []
    assert any(line.strip() == "#    make lock" for line in odd)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("-----BEGIN EC " + "PRIVATE KEY-----", "a private key"),
        ("-----BEGIN " + "PRIVATE KEY-----", "a private key"),
        ("token = 'ghp_" + "a" * 36 + "'", "a token"),
        ("postgresql://hub:" + "secret@db.example/hub", "a password in an address"),
        ("cd /" + "work/main", "a path of one machine"),
        ('Path("/' + 'home/me/x")', "a path of one machine"),
        ("--index" + "-url https://example/", "a registry"),
        ("https://py" + "pi.org/x", "a registry"),
        ("# TO" + "DO: finish", "something unfinished"),
    ],
)
def test_a_line_that_may_not_stand_is_found(line: str, what: str) -> None:
    assert findings("a.py", f"first\n{line}\n") == [f"a.py:2: {what}"]


@pytest.mark.parametrize(
    "line",
    [
        "postgresql://hub:hub@localhost/hub",
        "https://example.org/home/x",
        "hub/core/work/x",
        "tmp_path",
    ],
)
def test_an_ordinary_line_may_stand(line: str) -> None:
    assert findings("a.py", line) == []
