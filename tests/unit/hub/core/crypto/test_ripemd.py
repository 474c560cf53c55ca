from __future__ import annotations

import pytest

from hub.core.crypto.ripemd import ripemd160

PUBLISHED = [
    (b"", "9c1185a5c5e9fc54612808977ee8f548b2258d31"),
    (b"a", "0bdc9d2d256b3ee9daae347be6f4dc835a467ffe"),
    (b"abc", "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"),
    (b"message digest", "5d0689ef49d2fae572b881b123a85ffa21595f36"),
    (b"abcdefghijklmnopqrstuvwxyz", "f71c27109c692c1b56bbdceb5b9d2865b3708dbc"),
    (
        b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "12a053384a9c0c88e405a06c27dcf49ada62eb2b",
    ),
    (
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
        "b0e20b6e3116640286ed3a87a5713079b21f5189",
    ),
    (b"1234567890" * 8, "9b752e45573d4b39f4dbd3323cab82bf63326bfb"),
]
"""Source: Dobbertin, Bosselaers and Preneel 1996, appendix B."""


@pytest.mark.parametrize(("data", "digest"), PUBLISHED)
def test_the_published_digests(data: bytes, digest: str) -> None:
    assert ripemd160(data).hex() == digest


@pytest.mark.parametrize("size", [0, 1, 54, 55, 56, 57, 63, 64, 65, 119, 120, 127, 128, 1000])
def test_every_length_of_padding_gives_another_digest(size: int) -> None:
    digests = {ripemd160(bytes(size + more)) for more in range(3)}
    assert len(digests) == 3
    assert all(len(digest) == 20 for digest in digests)
