from __future__ import annotations

import asyncio

from hub.ports.registry import Change, Topic
from hub.registry.mailboxes import LocalChanges, Mailbox

ONE, OTHER = Change(Topic.LANES, "1"), Change(Topic.LANES, "2")


async def test_what_is_put_twice_is_taken_once_the_oldest_first() -> None:
    mailbox = Mailbox()
    for change in (ONE, OTHER, ONE):
        mailbox.put(change)
    assert [await mailbox.take(), await mailbox.take()] == [ONE, OTHER]
    taking = asyncio.ensure_future(mailbox.take())
    await asyncio.sleep(0)
    assert not taking.done()
    mailbox.put(ONE)
    assert await taking == ONE


async def test_every_listener_hears_all_from_when_it_began() -> None:
    changes = LocalChanges()
    early = changes.listen()
    changes.announce(ONE)
    late = changes.listen()
    changes.announce(OTHER)
    assert [await anext(early), await anext(early)] == [ONE, OTHER]
    assert await anext(late) == OTHER


async def test_who_listens_no_more_has_no_mailbox() -> None:
    changes = LocalChanges()
    listening = changes.listen()
    changes.announce(ONE)
    assert await anext(listening) == ONE
    await listening.aclose()  # type: ignore[attr-defined]  # a generator
    assert not changes._mailboxes
