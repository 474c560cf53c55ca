from __future__ import annotations

from adapters.bench.headers import VALIDATORS, Headers
from hub.core.height import Height
from hub.core.ids import PeerId
from hub.core.time import SECOND, Duration, Timestamp
from hub.light_clients.cometbft.client import CometBftClient
from hub.light_clients.interface import Verified
from hub.wire.frames import headers_from_proto

START = Timestamp(1_800_000_000 * SECOND)
ROOT, OTHER = b"\x01" * 32, b"\x02" * 32


def test_a_header_comes_each_second_and_no_sooner() -> None:
    headers = Headers(PeerId("east"), ROOT, START)
    assert headers.height == 1
    assert not headers.advance(Timestamp(START + SECOND - 1))
    assert headers.until_next(Timestamp(START + SECOND - 1)) == 1
    assert headers.advance(Timestamp(START + SECOND))
    assert headers.height == 2
    assert headers.advance(Timestamp(START + 4 * SECOND))
    assert headers.height == 5, "what was due meanwhile is made too"


def test_headers_are_real_and_carry_the_root_of_their_time() -> None:
    headers = Headers(PeerId("east"), ROOT, START)
    headers.root = OTHER
    headers.advance(Timestamp(START + SECOND))
    client, anchor = CometBftClient(), headers.anchor
    first, second = headers_from_proto(headers.batch([1, 2]))
    trusted = client.read_header(first)
    assert (trusted.root, trusted.header_hash) == (ROOT, anchor.header_hash)
    assert anchor.height == Height(1, 1)
    now = Timestamp(START + Duration(2 * SECOND))
    verdict = client.verify_header(anchor, trusted, first.validators, second, now=now)
    assert isinstance(verdict, Verified)
    assert verdict.state.root == OTHER
    assert VALIDATORS == 4
