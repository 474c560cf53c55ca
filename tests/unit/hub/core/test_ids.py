from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.core.errors import IdentifierInvalid
from hub.core.ids import parse_chain_id, parse_client_id, parse_peer_id, parse_port_id

if TYPE_CHECKING:
    from collections.abc import Callable

VALID: list[tuple[Callable[[str], str], str]] = [
    (parse_peer_id, "a"),
    (parse_peer_id, "hangzhou"),
    (parse_peer_id, "wuxi-2"),
    (parse_peer_id, "a--b"),
    (parse_peer_id, "a" * 63),
    (parse_client_id, "07-tendermint-0"),
    (parse_client_id, "07-tendermint-18446744073709551615"),
    (parse_client_id, "08-wasm-12"),
    (parse_client_id, "besu_QBFT-3"),
    (parse_client_id, "client-0"),
    (parse_client_id, "a-0"),
    (parse_client_id, "a" * 62 + "-0"),
    (parse_port_id, "ab"),
    (parse_port_id, "transfer"),
    (parse_port_id, "wasm.yrd1qx+_-#[]<>9"),
    (parse_port_id, "p" * 128),
    (parse_chain_id, "x"),
    (parse_chain_id, "hangzhou-1"),
    (parse_chain_id, "!~"),
    (parse_chain_id, "c" * 50),
]

INVALID: list[tuple[Callable[[str], str], str]] = [
    (parse_peer_id, ""),
    (parse_peer_id, "Hangzhou"),
    (parse_peer_id, "1city"),
    (parse_peer_id, "-city"),
    (parse_peer_id, "city-"),
    (parse_peer_id, "ci_ty"),
    (parse_peer_id, "ci.ty"),
    (parse_peer_id, "ci~ty"),
    (parse_peer_id, "city/"),
    (parse_peer_id, "city\n"),
    (parse_peer_id, "a" * 64),
    (parse_peer_id, "hàngzhou"),
    (parse_peer_id, "杭州"),
    (parse_client_id, ""),
    (parse_client_id, "07-tendermint"),
    (parse_client_id, "07-tendermint-"),
    (parse_client_id, "07-tendermint-01"),
    (parse_client_id, "07-tendermint-00"),
    (parse_client_id, "07-tendermint--1"),
    (parse_client_id, "07-tendermint-1-"),
    (parse_client_id, "07-tendermint-+1"),
    (parse_client_id, "07-tendermint-1 "),
    (parse_client_id, "07-tendermint-1\n"),
    (parse_client_id, "07-tendermint-18446744073709551616"),
    (parse_client_id, "07-tendermint-99999999999999999999"),
    (parse_client_id, "07-tendermint-\uff11"),
    (parse_client_id, "-0"),
    (parse_client_id, "0"),
    (parse_client_id, "-a-0"),
    (parse_client_id, "a/b-0"),
    (parse_client_id, "a~b-0"),
    (parse_client_id, "a.b-0"),
    (parse_client_id, "é-0"),
    (parse_client_id, "a\x01b-0"),
    (parse_client_id, "a" * 63 + "-0"),
    (parse_client_id, "9" * 100_000 + "-0"),
    (parse_port_id, ""),
    (parse_port_id, "a"),
    (parse_port_id, "p" * 129),
    (parse_port_id, "a/b"),
    (parse_port_id, "a~b"),
    (parse_port_id, "a b"),
    (parse_port_id, "ab\n"),
    (parse_port_id, "a\\b"),
    (parse_port_id, "a\x00"),
    (parse_port_id, "端口"),
    (parse_chain_id, ""),
    (parse_chain_id, "c" * 51),
    (parse_chain_id, "a b"),
    (parse_chain_id, "ab\n"),
    (parse_chain_id, "a\x7f"),
    (parse_chain_id, "é"),
]


@pytest.mark.parametrize(("parse", "text"), VALID)
def test_an_identifier_is_its_text(parse: Callable[[str], str], text: str) -> None:
    assert parse(text) == text


@pytest.mark.parametrize(("parse", "text"), INVALID)
def test_another_text_is_no_identifier(parse: Callable[[str], str], text: str) -> None:
    with pytest.raises(IdentifierInvalid) as caught:
        parse(text)
    assert text.startswith(caught.value.value)


def test_an_error_quotes_no_more_than_eighty_characters() -> None:
    with pytest.raises(IdentifierInvalid) as caught:
        parse_peer_id("x" * 10_000)
    assert caught.value.value == "x" * 80
    assert caught.value.kind == "peer id"
