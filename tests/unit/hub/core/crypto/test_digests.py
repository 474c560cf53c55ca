from __future__ import annotations

import hashlib
from typing import NoReturn

import pytest

from hub.core.crypto import digests, ripemd

GENERATOR = bytes.fromhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
"""The base point of secp256k1, compressed. Source: SEC 2 section 2.4.1."""


def test_sha256_of_abc() -> None:
    """Source: FIPS 180-4, example."""
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digests.sha256(b"abc").hex() == digest


def test_ripemd160_of_abc() -> None:
    assert digests.ripemd160(b"abc").hex() == "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"


def test_hash160_of_the_generator() -> None:
    assert digests.hash160(GENERATOR).hex() == "751e76e8199196d454941c45d1b3a323f1433bd6"


@pytest.mark.parametrize("size", range(0, 200, 7))
def test_the_chosen_ripemd160_is_the_plain_one(size: int) -> None:
    data = bytes(number % 251 for number in range(size))
    assert digests.ripemd160(data) == ripemd.ripemd160(data)


def test_a_build_without_ripemd160_takes_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, *_: object, **__: object) -> NoReturn:
        raise ValueError(f"unsupported hash type {name}")

    monkeypatch.setattr(hashlib, "new", refuse)
    assert digests._choose_ripemd160() is ripemd.ripemd160


def test_a_build_with_ripemd160_takes_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(name: str, *_: object, **__: object) -> object:
        asked.append(name)
        return hashlib.sha256()

    monkeypatch.setattr(hashlib, "new", answer)
    assert digests._choose_ripemd160() is digests._native_ripemd160
    assert asked == ["ripemd160"]
