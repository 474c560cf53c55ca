from __future__ import annotations

import stat
import sys
from typing import TYPE_CHECKING

import pytest

from adapters.cosmos.__main__ import MAX_KEYS, main
from adapters.cosmos.tx.keys import read_keys
from tests.harness.comet_rpc import NOWHERE
from tests.harness.cosmos_process import config_of, write_config

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def code_of(*arguments: str) -> int:
    """With what the program ends."""
    try:
        main(arguments)
    except SystemExit as error:
        return int(error.code or 0)
    return 0


def test_new_keys_are_their_owners_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "keys.txt"
    assert code_of("keys", "new", str(file), "--count", "3", "--address-prefix", "osmo") == 0
    made = capsys.readouterr().out
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [key.address for key in read_keys(file, "osmo")] == made.split()
    assert len(made.split()) == 3
    assert code_of("keys", "list", str(file), "--address-prefix", "osmo") == 0
    assert capsys.readouterr().out == made
    secret = file.read_text().split()[0]
    assert secret not in made


def test_keys_are_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "keys.txt"
    assert code_of("keys", "new", str(file)) == 0
    before = file.read_bytes()
    assert code_of("keys", "new", str(file)) == 3
    assert file.read_bytes() == before
    errors = capsys.readouterr().err
    assert errors.startswith("ydhub-cosmos: FIELD_INVALID: ")
    assert errors.count("\n") == 1


def test_keys_that_others_can_read_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "keys.txt"
    assert code_of("keys", "new", str(file)) == 0
    file.chmod(0o604)
    capsys.readouterr()
    assert code_of("keys", "list", str(file)) == 3
    shown = capsys.readouterr()
    assert file.read_text().split()[0] not in shown.out + shown.err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["keys"],
        ["run"],
        ["keys", "new", "f", "--count", "0"],
        ["keys", "new", "f", "--count", str(MAX_KEYS + 1)],
        ["anchor", "--node", NOWHERE, "--chain-id", "suzhou-1"],
        ["nothing"],
    ],
)
def test_what_is_no_command_ends_with_two(arguments: Sequence[str]) -> None:
    assert code_of(*arguments) == 2


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["run", "--config", "nothing.toml"], "FIELD_INVALID"),
        (["check", "--config", "nothing.toml"], "FIELD_INVALID"),
        (["keys", "list", "nothing.txt"], "FIELD_INVALID"),
        (["keys", "new", "nowhere/keys.txt"], "FIELD_INVALID"),
        (["keys", "new", "keys.txt", "--address-prefix", "X"], "FIELD_INVALID"),
    ],
)
def test_what_cannot_be_done_ends_with_three_and_says_why_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: Sequence[str],
    reason: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert code_of(*arguments) == 3
    errors = capsys.readouterr().err
    assert errors.startswith(f"ydhub-cosmos: {reason}: ")
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, "CHAIN_UNREACHABLE"),
        ({"--node": "nowhere"}, "FIELD_INVALID"),
        ({"--peer": "No Peer"}, "IDENTIFIER_INVALID"),
        ({"--chain-id": "no chain"}, "IDENTIFIER_INVALID"),
        ({"--trust-level": "1"}, "FIELD_INVALID"),
        ({"--trusting-period": "soon"}, "FIELD_INVALID"),
    ],
)
def test_an_anchor_that_cannot_be_is_told(
    capsys: pytest.CaptureFixture[str], change: dict[str, str], reason: str
) -> None:
    options = {"--node": NOWHERE, "--chain-id": "suzhou-1", "--peer": "suzhou", **change}
    arguments = [text for option in options.items() for text in option]
    assert code_of("anchor", *arguments) == 3
    assert capsys.readouterr().err.startswith(f"ydhub-cosmos: {reason}: ")


def test_a_check_that_fails_ends_with_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "suzhou.toml"
    write_config(config_of(tmp_path), file)
    assert code_of("check", "--config", str(file)) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["FAILED", "FAILED", "ok"]


def test_arguments_are_the_programs_own_where_none_are_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["ydhub-cosmos"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
