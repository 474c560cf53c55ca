from __future__ import annotations

import asyncio

import pytest

from adapters.cosmos.tx.signer import Signer
from hub.core.errors import ChainUnreachable, TransactionRefused
from tests.harness.clock import settle
from tests.harness.comet_node import unreachable
from tests.harness.cosmos_chain import CosmosChain
from tests.harness.cosmos_executions import key

ACCOUNT = "/cosmos.auth.v1beta1.Query/AccountInfo"


async def test_sequence_is_asked_for_once_and_then_counted() -> None:
    chain = CosmosChain(key(1))
    signer = Signer(chain, key(1))
    assert [(await signer.account()).sequence for _ in range(2)] == [5, 5]
    signer.took(b"a", b"bytes of a")
    signer.took(b"b", b"bytes of b")
    assert (await signer.account()).sequence == 7
    assert signer.under_way == [(b"a", b"bytes of a"), (b"b", b"bytes of b")]
    assert len(chain.called(ACCOUNT)) == 1


async def test_doubt_asks_again_only_when_nothing_is_under_way() -> None:
    chain = CosmosChain(key(1))
    signer = Signer(chain, key(1))
    await signer.account()
    signer.took(b"a", b"")
    signer.doubt()
    assert (await signer.account()).sequence == 6
    chain.advance(key(1).address)
    chain.advance(key(1).address)
    signer.ended(b"a")
    assert (await signer.account()).sequence == 7
    assert (await signer.account()).sequence == 7
    assert len(chain.called(ACCOUNT)) == 2


async def test_idle_is_when_the_last_one_has_ended() -> None:
    signer = Signer(CosmosChain(key(1)), key(1))
    await signer.idle()
    signer.took(b"a", b"")
    signer.took(b"b", b"")
    waiting = asyncio.ensure_future(signer.idle())
    signer.ended(b"a")
    signer.ended(b"a")
    await settle()
    assert not waiting.done()
    signer.ended(b"b")
    await waiting


async def test_what_the_chain_does_not_tell_is_asked_for_again() -> None:
    chain = CosmosChain(key(1))
    signer = Signer(chain, key(1))
    chain.failures[ACCOUNT].append(unreachable())
    with pytest.raises(ChainUnreachable):
        await signer.account()
    assert (await signer.account()).sequence == 5
    chain.failures[ACCOUNT].append(unreachable())
    signer.doubt()
    with pytest.raises(ChainUnreachable):
        await signer.account()
    chain.advance(key(1).address)
    assert (await signer.account()).sequence == 6, "the doubt is not forgotten"


async def test_an_account_that_the_chain_does_not_know_is_told() -> None:
    with pytest.raises(TransactionRefused):
        await Signer(CosmosChain(key(1)), key(2)).account()
