"""Transactions on their way into the chain: signed, broadcast in order, followed to their end.

A transaction names the last height at which it may stand in a block. So each one ends for certain:
in a block, with what the header after it proves of its result, or lost, and then never. Until then
the very same bytes may be broadcast again, however often: after an answer that never came, and
when a node forgot its mempool.

Source: cosmos-sdk x/auth/ante (sequence, timeout height); CometBFT mempool (first come, first in).
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from zlib import crc32

import structlog

from adapters.cosmos import queries
from adapters.cosmos.rpc.records import REFUSED_BY_NODE
from adapters.cosmos.tx.codes import Kind, Subject, error_of, kind_of
from adapters.cosmos.tx.records import Refusal, Sent, Signed
from adapters.cosmos.tx.transaction import Fee, sign, tx_hash
from hub.core.errors import (
    FieldInvalid,
    GasExhausted,
    HubError,
    RecordCorrupt,
    TransactionLost,
    TransactionRefused,
)
from hub.core.height import Height
from hub.core.time import whole_seconds
from hub.light_clients.cometbft.header import revision_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.cosmos.blocks.follower import BlockFollower
    from adapters.cosmos.rpc.node import Checked, CometNode, TxResult
    from adapters.cosmos.tx.gas import GasModel
    from adapters.cosmos.tx.messages import Message
    from adapters.cosmos.tx.records import Settings
    from adapters.cosmos.tx.signer import Signer

MAX_TRIES: Final = 8
"""Broadcasts of one transaction that the chain puts off: wrong sequences, a full mempool."""
UNMEASURED: Final = 32
"""Messages of one transaction whose cost is not known yet."""
AGAIN_AFTER: Final = 3
"""Blocks after which a transaction that is in none is broadcast again."""

UNKNOWN: Final = Subject()

_PUT_OFF: Final = frozenset({Kind.WRONG_SEQUENCE, Kind.MEMPOOL_FULL, Kind.TIMEOUT_HEIGHT})

_log = structlog.get_logger()


class Submitter:
    """The adapter's transactions, by signer."""

    def __init__(
        self,
        node: CometNode,
        blocks: BlockFollower,
        signers: Sequence[Signer],
        gas: GasModel,
        settings: Settings,
    ) -> None:
        """Transactions of *signers*, at least one. Raises ``FieldInvalid``."""
        if not signers:
            raise FieldInvalid(field="keys", problem="are none")
        self.signers = tuple(signers)
        self.settings = settings
        self._node = node
        self._blocks = blocks
        self._gas = gas
        self._sent_at: dict[bytes, int] = {}
        self._tasks: set[asyncio.Task[TxResult]] = set()

    def signer_of(self, client: str) -> Signer:
        """Who signs for the chain's own *client*: always the same, so that its order holds."""
        return self.signers[crc32(client.encode()) % len(self.signers)]

    def most(self, before: Sequence[str], kind: str, limit: int) -> int:
        """How many messages of *kind* fit behind those *before*, by gas: 1 to *limit*."""
        if self._gas.estimate([*before, kind]) is None:
            return min(UNMEASURED, limit)

        def over(count: int) -> bool:
            expected = self._gas.estimate([*before, *[kind] * count])
            return expected is not None and expected > self.settings.max_gas

        return max(bisect_left(range(1, limit + 1), True, key=over), 1)

    async def run(self) -> None:
        """What stands in no block is broadcast again, until this is cancelled; then all ends."""
        height: Height | None = None
        try:
            while True:
                # The follower waits longer and longer while no node answers; so does this.
                height = (await self._blocks.head(height)).height
                for signer in self.signers:
                    await self._again(signer)
        finally:
            for task in self._tasks:
                task.cancel()

    async def send(
        self,
        signer: Signer,
        batches: Sequence[Sequence[Message]],
        *,
        about: Subject = UNKNOWN,
        memo: str = "",
    ) -> list[Sent | Refusal]:
        """For each of *batches* its transaction, taken by the chain, or why it was refused.

        They enter the chain in their order. Errors tell what they are *about*. Raises ``HubError``,
        as ``ChainUnreachable``, where nothing was broadcast.
        """
        async with signer.turn:
            results: list[Sent | Refusal] = []
            tries = 0
            while len(results) < len(batches):
                rest = batches[len(results) :]
                try:
                    signed = await self._sign(signer, rest, about, memo)
                except HubError as error:
                    if not results:
                        raise
                    lost = Refusal(Kind.REFUSED, error, is_judged=False)
                    return [*results, *[lost] * len(rest)]
                taken: list[Sent] = []
                refused: Signed | None = None
                if isinstance(signed, Refusal):
                    refusal = signed
                else:
                    taken, answer = await self._broadcast(signer, signed)
                    if answer is None:
                        results += taken
                        continue
                    refused = signed[len(taken)]
                    refusal = self._refusal(signer, refused, answer, about)
                results += taken
                tries = 1 if taken else tries + 1
                if refusal.kind in _PUT_OFF and tries < MAX_TRIES:
                    await self._put_off(signer, refusal.kind)
                elif refusal.kind is Kind.OUT_OF_GAS and refused and tries < MAX_TRIES:
                    _log.info("gas_too_low", signer=signer.key.address, limit=refused.gas_limit)
                    self._gas.ran_out(refused.kinds, refused.gas_limit)
                else:
                    signer.doubt()  # it may be refused for what is believed of the account
                    results.append(refusal)
            return results

    async def outcome(self, sent: Sent, about: Subject = UNKNOWN) -> TxResult | Refusal:
        """What the block made of *sent*, or why it did nothing. Raises ``TransactionLost``."""
        # Whoever waits may be cancelled: what is under way goes on.
        result = await asyncio.shield(sent.outcome)
        if not result.code:
            return result
        return self._failure(sent.signer, sent.hash, sent.gas_limit, result, about)

    async def judge(
        self, signer: Signer, messages: Sequence[Message], about: Subject = UNKNOWN
    ) -> Refusal | None:
        """Why the chain would refuse *messages* now, by its own code; None where it would not.

        Raises ``HubError``, as ``ChainUnreachable``, where the chain does not tell.
        """
        async with signer.turn:
            tries = 0
            while True:
                found = await self._measure(signer, messages, about)
                if not isinstance(found, Refusal):
                    return None
                if found.kind not in _PUT_OFF:
                    return found
                tries += 1
                if tries == MAX_TRIES:
                    raise found.error
                await self._put_off(signer, found.kind)

    async def _sign(
        self, signer: Signer, batches: Sequence[Sequence[Message]], about: Subject, memo: str
    ) -> list[Signed] | Refusal:
        """Signed in order, up to the first whose gas is not known; its refusal if it is first."""
        found: list[Signed] = []
        account = await signer.account()
        timeout_height = await self._height() + self.settings.timeout_blocks
        for messages in batches:
            kinds = tuple([message.type_url for message in messages])
            limit = self._gas.estimate(kinds)
            if limit is None:
                if found:
                    break  # measured once those before it count
                used = await self._measure(signer, messages, about)
                if isinstance(used, Refusal):
                    return used
                self._gas.learned(kinds, used)
                limit = self._gas.estimate(kinds) or used
            place = replace(account, sequence=account.sequence + len(found))
            limit = min(limit, self.settings.max_gas)
            found.append(
                self._signed(
                    signer,
                    messages,
                    account=place,
                    gas_limit=limit,
                    timeout_height=timeout_height,
                    memo=memo,
                )
            )
        return found

    def _signed(
        self,
        signer: Signer,
        messages: Sequence[Message],
        *,
        account: queries.Account,
        gas_limit: int,
        timeout_height: int,
        memo: str,
    ) -> Signed:
        transaction = sign(
            messages,
            signer.key,
            chain_id=self._node.chain_id,
            account=account,
            fee=self._fee(gas_limit),
            timeout_height=timeout_height,
            memo=memo,
        )
        return Signed(
            transaction=transaction,
            hash=tx_hash(transaction),
            kinds=tuple([message.type_url for message in messages]),
            gas_limit=gas_limit,
            timeout_height=timeout_height,
        )

    async def _measure(
        self, signer: Signer, messages: Sequence[Message], about: Subject
    ) -> int | Refusal:
        """Gas that *messages* would use now, or why they are refused; *signer*'s turn is held.

        Raises ``HubError`` where the chain does not tell.
        """
        account = await signer.account()
        transaction = sign(
            messages,
            signer.key,
            chain_id=self._node.chain_id,
            account=account,
            fee=self._fee(self.settings.max_gas),
            timeout_height=0,
        )
        try:
            used = await queries.simulate(self._node, transaction)
        except TransactionRefused as error:
            subject = replace(
                self._subject(signer, about),
                size=len(transaction),
                gas_limit=self.settings.max_gas,
            )
            return self._refused(error.codespace, error.code, error.log, subject)
        if used > self.settings.max_gas:
            return Refusal(Kind.TOO_LARGE, GasExhausted(used=used, limit=self.settings.max_gas))
        return used

    async def _broadcast(
        self, signer: Signer, signed: Sequence[Signed]
    ) -> tuple[list[Sent], Checked | None]:
        """Those taken, and the answer to the first that was not.

        Without any answer all may have been taken: they count as such until their outcome tells.
        So does what a node refuses by itself: it does not tell a full mempool from a transaction
        that it had of another node before.
        """
        try:
            answers = await self._node.broadcast([one.transaction for one in signed])
            self._check_answers(signed, answers)
        except HubError as error:
            _log.warning("broadcast_unanswered", reason=error.reason, detail=str(error))
            return [self._take(signer, one) for one in signed], None
        except asyncio.CancelledError:
            # Whoever asked is gone; what may be under way is followed all the same.
            for one in signed:
                self._take(signer, one)
            raise
        taken: list[Sent] = []
        for one, answer in zip(signed, answers, strict=True):
            if answer.code and not _may_stand(answer):
                return taken, answer
            taken.append(self._take(signer, one))
        return taken, None

    def _check_answers(self, signed: Sequence[Signed], answers: Sequence[Checked]) -> None:
        if [one.hash for one in answers] != [one.hash for one in signed]:
            raise RecordCorrupt(
                what=f"answers of {self._node.chain_id} to a broadcast",
                stored=f"{len(answers)}",
                computed=f"those to {len(signed)} transactions",
            )

    def _take(self, signer: Signer, one: Signed) -> Sent:
        signer.took(one.hash, one.transaction)
        self._sent_at[one.hash] = self._blocks.latest
        task = asyncio.get_running_loop().create_task(self._outcome(signer, one))
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return Sent(hash=one.hash, signer=signer, gas_limit=one.gas_limit, outcome=task)

    async def _outcome(self, signer: Signer, one: Signed) -> TxResult:
        try:
            result = await self._blocks.outcome(one.hash, one.timeout_height)
        except TransactionLost as error:
            _log.warning("transaction_lost", reason=error.reason, detail=str(error))
            signer.doubt()
            raise
        finally:
            self._sent_at.pop(one.hash, None)
            signer.ended(one.hash)
        if not result.code:
            self._gas.learned(one.kinds, result.gas_used)
            return result
        why = self._failure(signer, one.hash, one.gas_limit, result, UNKNOWN).error
        _log.warning("transaction_failed", reason=why.reason, detail=str(why))
        if result.gas_used >= one.gas_limit:
            self._gas.ran_out(one.kinds, one.gas_limit)
        return result

    def _refusal(self, signer: Signer, signed: Signed, answer: Checked, about: Subject) -> Refusal:
        subject = replace(
            self._subject(signer, about),
            size=len(signed.transaction),
            gas_limit=signed.gas_limit,
            transaction=signed.hash.hex(),
            timeout_height=signed.timeout_height,
        )
        return self._refused(answer.codespace, answer.code, answer.log, subject)

    def _failure(
        self, signer: Signer, tx: bytes, gas_limit: int, result: TxResult, about: Subject
    ) -> Refusal:
        """Why the transaction with the hash *tx* did nothing in its block."""
        subject = replace(
            self._subject(signer, about),
            gas_used=result.gas_used,
            gas_limit=gas_limit,
            transaction=tx.hex(),
        )
        return self._refused(result.codespace, result.code, result.log, subject)

    def _refused(self, codespace: str, code: int, log: str, subject: Subject) -> Refusal:
        kind = kind_of(codespace, code)
        error = error_of(codespace, code, log, subject)
        return Refusal(kind, error, is_judged=kind not in _PUT_OFF)

    def _subject(self, signer: Signer, about: Subject) -> Subject:
        return replace(
            about,
            chain=self._node.chain_id,
            signer=signer.key.address,
            time=whole_seconds(self._blocks.latest_time),
        )

    def _done(self, task: asyncio.Task[TxResult]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waits for it is told; nobody may

    async def _put_off(self, signer: Signer, kind: Kind) -> None:
        """Returns when another try may go better."""
        _log.info("transaction_put_off", signer=signer.key.address, kind=kind.name)
        if kind is Kind.WRONG_SEQUENCE:
            await self._again(signer, after=0)
            # What the chain took before carries the sequences in between.
            await signer.idle()
            signer.doubt()
        await self._blocks.head(Height(revision_of(self._node.chain_id), self._blocks.latest))

    async def _again(self, signer: Signer, after: int = AGAIN_AFTER) -> None:
        """What *signer* has under way for *after* blocks is broadcast once more, in order."""
        waiting = signer.under_way
        if not waiting:
            return
        oldest = self._sent_at.get(waiting[0][0], self._blocks.latest)
        if self._blocks.latest < oldest + after:
            return
        for tx, _ in waiting:
            self._sent_at[tx] = self._blocks.latest
        try:
            await self._node.broadcast([transaction for _, transaction in waiting])
        except HubError as error:
            _log.warning("broadcast_again_failed", reason=error.reason, detail=str(error))

    async def _height(self) -> int:
        """The newest height; the first is waited for."""
        return (await self._blocks.head(None)).height.number

    def _fee(self, gas: int) -> Fee:
        price, denomination = self.settings.gas_price, self.settings.denomination
        amount = -(-gas * price.numerator // price.denominator)
        return Fee(amount=((denomination, amount),) if amount else (), gas_limit=gas)


def _may_stand(answer: Checked) -> bool:
    """Whether the transaction that *answer* refuses may be in a mempool all the same."""
    is_known = kind_of(answer.codespace, answer.code) is Kind.IN_MEMPOOL
    return is_known or answer.codespace == REFUSED_BY_NODE
