from __future__ import annotations

import pytest

from hub.core.errors import CredentialsMissing, IdentifierInvalid, IdentityNotAllowed
from hub.core.ids import parse_peer_id
from hub.wire.identity.spiffe import Role, SpiffeId, caller, peer_identity

DOMAIN = "ydhub.local"
HANGZHOU = b"spiffe://ydhub.local/peers/hangzhou"


class Call:
    def __init__(self, **properties: list[bytes]) -> None:
        self._properties = properties

    def auth_context(self) -> dict[str, list[bytes]]:
        return self._properties


def call(identity: bytes = HANGZHOU, version: bytes = b"TLSv1.3") -> Call:
    return Call(peer_spiffe_id=[identity], ssl_tls_version=[version])


def test_the_identity_of_the_certificate_is_the_caller() -> None:
    identity = caller(call(), DOMAIN)
    assert (identity.trust_domain, identity.path) == (DOMAIN, "/peers/hangzhou")
    assert identity.role is Role.PEER
    assert identity.peer() == "hangzhou"
    assert str(identity) == HANGZHOU.decode()


@pytest.mark.parametrize(
    "context",
    [
        Call(),
        Call(ssl_tls_version=[b"TLSv1.3"]),
        Call(peer_spiffe_id=[HANGZHOU]),
        Call(peer_spiffe_id=[HANGZHOU, HANGZHOU], ssl_tls_version=[b"TLSv1.3"]),
        call(version=b"TLSv1.2"),
        call(b"spiffe://elsewhere/peers/hangzhou"),
        call(b"spiffe://ydhub.local"),
        call(b"https://ydhub.local/peers/hangzhou"),
        call("spiffe://ydhub.local/peers/杭州".encode()),
        call(b"\xff"),
    ],
)
def test_whatever_else_a_connection_shows_is_no_identity(context: Call) -> None:
    with pytest.raises(CredentialsMissing) as raised:
        caller(context, DOMAIN)
    assert raised.value.trust_domain == DOMAIN


@pytest.mark.parametrize(
    "text",
    [
        "",
        "spiffe://ydhub.local/",
        "spiffe://ydhub.local/peers/",
        "spiffe://ydhub.local//hangzhou",
        "spiffe://ydhub.local/peers/..",
        "spiffe://ydhub.local/./peers",
        "spiffe://YDHUB.local/peers/hangzhou",
        "spiffe://ydhub.local/peers/hangzhou?x=1",
        "spiffe://ydhub.local/peers/hang%7ahou",
        "spiffe://user@ydhub.local/peers/hangzhou",
        "spiffe://ydhub.local:80/peers/hangzhou",
        "spiffe://ydhub.local/peers/hangzhou\n",
        "spiffe://ydhub.local/" + "x" * 2048,
    ],
)
def test_text_that_is_no_spiffe_id_is_refused(text: str) -> None:
    with pytest.raises(IdentifierInvalid):
        SpiffeId.parse(text)


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("/hub", Role.HUB),
        ("/relayers/east-1", Role.RELAYER),
        ("/admins/li", Role.ADMIN),
        ("/peers/suzhou", Role.PEER),
        ("/peers", None),
        ("/peers/suzhou/adapters", None),
        ("/hub/other", None),
        ("/chains/suzhou", None),
    ],
)
def test_the_path_says_what_an_identity_is(path: str, role: Role | None) -> None:
    assert SpiffeId(DOMAIN, path).role is role


def test_only_an_adapter_acts_for_a_peer() -> None:
    with pytest.raises(IdentityNotAllowed):
        SpiffeId(DOMAIN, "/admins/hangzhou").peer()
    with pytest.raises(IdentifierInvalid):
        SpiffeId(DOMAIN, "/peers/Hangzhou").peer()


def test_the_identity_that_a_peer_must_show_is_read_back() -> None:
    identity = peer_identity(DOMAIN, parse_peer_id("hangzhou"))
    assert SpiffeId.parse(str(identity)) == identity
    assert identity.peer() == "hangzhou"
