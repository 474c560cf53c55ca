from __future__ import annotations

from dataclasses import replace

import pytest

from hub.core.client import Header
from hub.core.errors import ClientTypeUnknown, HubError
from hub.light_clients.router import light_client
from hub.registry.validator_sets import set_digest, sets_of
from tests.harness.registry import VALIDATORS, header

FAMILY = "07-tendermint"


def test_a_set_is_named_by_its_familys_hash() -> None:
    expected = light_client(FAMILY).hash_validators(VALIDATORS)
    assert set_digest(FAMILY, VALIDATORS) == expected
    assert sets_of(FAMILY, [header(1), header(2)]) == {expected: VALIDATORS}
    assert sets_of(FAMILY, []) == {}


def test_a_set_that_cannot_be_read_has_no_name() -> None:
    broken = replace(header(1), header=Header(content=b"x", validators=b"\xff"))
    with pytest.raises(HubError):
        sets_of(FAMILY, [broken])


def test_an_unknown_family_names_nothing() -> None:
    with pytest.raises(ClientTypeUnknown):
        set_digest("09-localhost", VALIDATORS)
