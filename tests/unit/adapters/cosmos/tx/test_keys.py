from __future__ import annotations

import os
import pickle
import stat
from typing import TYPE_CHECKING

import pytest
from bech32 import bech32_decode, convertbits

from adapters.cosmos.tx.keys import MAX_KEYS, encode_address, read_keys, write_new_keys
from hub.core.crypto import secp256k1
from hub.core.crypto.digests import hash160, sha256
from hub.core.errors import FieldInvalid

if TYPE_CHECKING:
    from pathlib import Path

ONE = "00" * 31 + "01"
SECRET = "11" * 32
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def key_file(directory: Path, text: str, mode: int = 0o600) -> Path:
    """A file of keys with *text*."""
    path = directory / "keys"
    path.write_text(text)
    path.chmod(mode)
    return path


def refusal(path: Path, prefix: str = "cosmos") -> str:
    """Why *path* is refused."""
    with pytest.raises(FieldInvalid) as caught:
        read_keys(path, prefix)
    assert caught.value.__cause__ is None or isinstance(caught.value.__cause__, OSError)
    return str(caught.value)


def test_an_address_is_that_of_the_public_key(tmp_path: Path) -> None:
    """Source: BIP-173, whose example is the same key under another prefix and version."""
    [key] = read_keys(key_file(tmp_path, ONE), "cosmos")
    assert key.public_key.hex() == (
        "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    )
    assert key.address.startswith("cosmos1w508d6qejxtdg4y5r3zarvary0c5xw7k")
    _, words = bech32_decode(key.address)
    assert words is not None
    assert bytes(convertbits(words, 5, 8, pad=False) or ()) == hash160(key.public_key)


def test_an_address_is_what_a_chain_makes_of_the_key(tmp_path: Path) -> None:
    """As simd of ibc-go v10.7.0 tells it."""
    [key] = read_keys(key_file(tmp_path, SECRET), "cosmos")
    assert key.address == "cosmos1l3e9pgs3mmwuwrh95fecme0s0qtn2880f2jmfe"
    assert encode_address("cosmos", hash160(key.public_key)) == key.address


def test_signatures_verify_with_a_low_s_and_are_the_same_each_time(tmp_path: Path) -> None:
    [key] = read_keys(key_file(tmp_path, SECRET), "cosmos")
    for number in range(64):
        message = number.to_bytes(4, "big")
        signature = key.sign(sha256(message))
        assert signature == key.sign(sha256(message))
        assert secp256k1.verify(key.public_key, message, signature)
        assert int.from_bytes(signature[32:], "big") <= ORDER // 2
        assert not secp256k1.verify(key.public_key, message + b"x", signature)


def test_a_file_is_read_in_its_order_without_comments(tmp_path: Path) -> None:
    text = f"# two keys\n\n  {SECRET.upper()}  \n# the other\r\n{ONE}"
    keys = read_keys(key_file(tmp_path, text), "wuxi")
    assert [key.address[:5] for key in keys] == ["wuxi1", "wuxi1"]
    assert keys[0].address != keys[1].address
    assert keys[1] == read_keys(key_file(tmp_path, ONE), "wuxi")[0]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o601, 0o610])
def test_a_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    assert "others" in refusal(key_file(tmp_path, ONE, mode))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (ONE[:-2], "line 1"),
        (ONE + "00", "line 1"),
        (f"# keys\n{ONE}\n{SECRET[:-1]}g", "line 3"),
        ("0x" + ONE[2:], "line 1"),
        ("00" * 32, "line 1"),
        (f"{ORDER:064x}", "line 1"),
        ("ff" * 32, "line 1"),
        (f"{ONE}\n\n{ONE.upper()}", "line 3 repeats line 1"),
        ("", "0 keys"),
        ("# none\n", "0 keys"),
        ("é" * 32, "line 1"),
    ],
)
def test_a_line_that_is_no_key_is_named_but_never_shown(
    tmp_path: Path, text: str, problem: str
) -> None:
    path = key_file(tmp_path, text)
    told = refusal(path)
    assert problem in told
    assert str(path) in told
    assert not any(word[:32] in told for word in text.split() if len(word) >= 32)


def test_the_largest_key_is_a_key(tmp_path: Path) -> None:
    assert read_keys(key_file(tmp_path, f"{ORDER - 1:064x}"), "cosmos")


def test_what_is_no_file_or_too_large_is_refused(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path / "none")
    assert "cannot be read" in refusal(tmp_path)
    assert "bytes" in refusal(key_file(tmp_path, "#" * (1 << 20) + "\n"))
    lines = [f"{number:064x}" for number in range(1, MAX_KEYS + 2)]
    assert f"{MAX_KEYS + 1} keys" in refusal(key_file(tmp_path, "\n".join(lines)))


@pytest.mark.parametrize("prefix", ["", "Cosmos", "1a", "co smos", "cosmos\n", "a" * 31, "ø"])
def test_a_prefix_is_short_and_in_small_letters(tmp_path: Path, prefix: str) -> None:
    assert "prefix" in refusal(key_file(tmp_path, ONE), prefix)
    with pytest.raises(FieldInvalid, match="prefix"):
        write_new_keys(tmp_path / "new", 1, prefix)
    assert not (tmp_path / "new").exists()


def test_new_keys_are_their_owners_alone_and_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "new"
    before = os.umask(0)
    try:
        made = write_new_keys(path, 3, "cosmos")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_keys(path, "cosmos") == made
    assert len({key.address for key in made}) == 3


def test_keys_are_never_overwritten(tmp_path: Path) -> None:
    path = key_file(tmp_path, ONE)
    with pytest.raises(FieldInvalid, match="exists"):
        write_new_keys(path, 1, "cosmos")
    assert path.read_text() == ONE
    with pytest.raises(FieldInvalid, match="cannot be written"):
        write_new_keys(tmp_path / "none" / "keys", 1, "cosmos")


@pytest.mark.parametrize("count", [0, -1, MAX_KEYS + 1])
def test_a_file_has_some_keys_and_not_too_many(tmp_path: Path, count: int) -> None:
    with pytest.raises(FieldInvalid, match="count"):
        write_new_keys(tmp_path / "new", count, "cosmos")
    assert not (tmp_path / "new").exists()


def test_a_key_shows_nothing_secret_of_itself(tmp_path: Path) -> None:
    [key] = read_keys(key_file(tmp_path, SECRET), "cosmos")
    assert SECRET not in repr(key)
    assert "secret" not in repr(key)
    with pytest.raises(TypeError):
        pickle.dumps(key)
