from __future__ import annotations

import json

import pytest

from hub.cli.redaction import REDACTED, redact, redact_value

CANARY = "canary-7f3a9c1e"
KEY = "PRIVATE" + " KEY-----"
PEM = f"-----BEGIN EC {KEY}\n{CANARY}\n-----END EC {KEY}"


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://ydhub:{CANARY}@db.example:5432/ydhub",
        f"postgresql://{CANARY}@db.example/ydhub",
        f"https://hub.example/enrol?token={CANARY}&peer=suzhou",
        f"password = '{CANARY}'",
        f'PASSWORD="{CANARY}"',
        f"db_passwd: {CANARY}",
        f'{{"enrolment_token": "{CANARY}"}}',
        f'{{"nested": "{{\\"secret\\": \\"{CANARY}\\"}}"}}',
        f"client-secret={CANARY}, other=1",
        f"Authorization: Bearer {CANARY}",
        f"authorization: basic {CANARY}",
        f'mnemonic = "{CANARY} {CANARY} {CANARY}"',
        f"YDHUB_API_KEY={CANARY}",
        PEM,
        json.dumps({"event": PEM}),
        f"cut off -----BEGIN {KEY}\n{CANARY}",
        f"eyJ{CANARY}abcdef.eyJ{CANARY}abcdef.{CANARY}",
        f'private_key: "a\\"{CANARY}"',
    ],
)
def test_a_secret_is_taken_out(text: str) -> None:
    assert CANARY not in redact(text)
    assert REDACTED in redact(text)


@pytest.mark.parametrize(
    "password",
    [
        f"a/{CANARY}",
        f"{CANARY}/b",
        f"a@{CANARY}",
        f"{CANARY}@b/c@d",
        f"a%2F{CANARY}%40b",
        f"a'{CANARY}",
        f'a"{CANARY}"b',
        f"'{CANARY}",
        f"a?{CANARY}#b",
        f"{CANARY}?token=b/c",
        f"a:{CANARY}:b,c",
        f"a\\{CANARY}",
    ],
)
@pytest.mark.parametrize(
    "address",
    [
        "postgresql://ydhub:{}@db.example:5432/ydhub",
        "postgresql+asyncpg://ydhub:{}@a.example:5432,b.example/ydhub?sslmode=require",
        "postgresql://db.example/ydhub?user=ydhub&password={}&sslmode=require",
        "postgresql://db.example/ydhub?password={}",
        "postgresql://ydhub@a.example,b.example/ydhub?sslpassword={}",
    ],
)
def test_a_password_in_an_address_may_have_anything_in_it(address: str, password: str) -> None:
    whole = address.format(password)
    shown = [whole, f"no answer from {whole}", f"'{whole}'", f'url="{whole}".', f"({whole})"]
    for text in shown:
        assert CANARY not in redact(text)
        assert REDACTED in redact(text)
    value = {"url": whole, "event": f"asked {whole}, then nothing", "list": [whole, 7]}
    told = redact(json.dumps(redact_value(value)))
    assert CANARY not in told
    assert json.loads(told)["list"][1] == 7
    raw = redact(json.dumps({"nested": json.dumps(value)}, indent=2))
    assert CANARY not in raw
    json.loads(raw)


def test_an_address_may_have_spaces_in_its_password() -> None:
    assert redact(f"postgresql://u:a {CANARY}@h/d") == f"postgresql://{REDACTED}@h/d"


def test_what_follows_who_logs_in_stays() -> None:
    hosts = "a.example:5432,b.example/ydhub?sslmode=require"
    assert redact(f"at postgresql://u:a/{CANARY}@{hosts}, twice") == (
        f"at postgresql://{REDACTED}@{hosts}, twice"
    )


@pytest.mark.parametrize(
    "text",
    [
        "lanes/hangzhou~07-tendermint-0~suzhou~07-tendermint-0/packets/1",
        "spiffe://ydhub.local/admins/li",
        "https://hub.example:7443/metrics",
        'key_file = "certs/hub.key"',
        f"header_hash: {'ab' * 32}",
        '{"page_token": "abc", "next_page_token": "def", "resume_token": "ghi"}',
        "see https://hub.example/a then li@hub.example",
        '{"url": "https://hub.example/a", "who": "li@hub.example"}',
        "the packet's sequence is 7; the key of the lane",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_values_are_judged_by_their_names() -> None:
    found = redact_value(
        {
            "tls": {"key": "certs/hub.key", "key_password": CANARY},
            "tokens": [CANARY, {"deep": f"token={CANARY}"}],
            "url": f"postgresql://u:{CANARY}@h/d",
            "secret": "",
            "count": 7,
            "password": 1234,
        }
    )
    assert CANARY not in json.dumps(found)
    assert found["tls"]["key"] == "certs/hub.key"
    assert (found["secret"], found["count"], found["password"]) == ("", 7, REDACTED)
    assert found["url"] == f"postgresql://{REDACTED}@h/d"
