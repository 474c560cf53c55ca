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
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from zlib import crc32

import structlog

from adapters.cosmos import queries
from adapters.cosmos.tx.codes import Kind, Subject, error_of, kind_of
from adapters.cosmos.tx.transaction import Fee, sign, tx_hash
from hub.core.errors import ChainUnreachable, FieldInvalid, HubError, TransactionLost
from hub.core.time import whole_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from adapters.cosmos.blocks.follower import BlockFollower
    from adapters.cosmos.rpc.node import Checked, CometNode, TxResult
    from adapters.cosmos.tx.gas import GasModel
    from adapters.cosmos.tx.messages import Message
    from adapters.cosmos.tx.signer import Signer

MAX_TRIES: Final = 8
"""Broadcasts of one transaction that the chain puts off: wrong sequences, a full mempool."""
UNMEASURED: Final = 32
"""Messages of one transaction whose cost is not known yet."""
AGAIN_AFTER: Final = 3
"""Blocks after which a transaction that is in none is broadcast again."""

UNKNOWN: Final = Subject()

_TAKEN: Final = frozenset({Kind.IN_MEMPOOL})
_PUT_OFF: Final = frozenset({Kind.WRONG_SEQUENCE, Kind.MEMPOOL_FULL, Kind.TIMEOUT_HEIGHT})

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How transactions are paid for, and how large they may be."""

    denomination: str
    """Of the fee; empty where the chain asks for none."""
    gas_price: Fraction
    """Units of the denomination for one unit of gas."""
    max_bytes: int
    """Of one transaction; under the mempool's own limit."""
    max_gas: int
    """Of one transaction; under the block's own limit."""
    timeout_blocks: int
    """Blocks after which a transaction that is in none is lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A transaction that the chain took."""

    hash: bytes
    signer: Signer
    gas_limit: int
    outcome: asyncio.Task[TxResult]
    """What it did, proven by the next header; raises ``TransactionLost``."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A transaction that the chain did not take."""

    kind: Kind
    error: HubError
    is_simulated: bool = False
    """Refused by a simulation, which tells no code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signed:
    transaction: bytes
    hash: bytes
    kinds: tuple[str, ...]
    gas_limit: int
    timeout_height: int


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
        """What stands in no block is broadcast again, until this is cancelled."""
        height = self._blocks.latest
        while True:
            try:
                height = await self._node.above(height)
                for signer in self.signers:
                    await self._again(signer)
            except HubError as error:
                _log.warning("broadcast_again_failed", reason=error.reason, detail=str(error))
                height = max(height, self._blocks.latest)

    async def send(
        self,
        signer: Signer,
        batches: Sequence[Sequence[Message]],
        *,
        about: Subject = UNKNOWN,
        memo: str = "",
        unmeasured: bool = False,
    ) -> list[Sent | Refusal]:
        """For each of *batches* its transaction, taken by the chain, or why it was refused.

        They enter the chain in their order. Errors tell what they are *about*. *unmeasured* ones
        are not simulated and may use all the gas that is allowed. Raises ``ChainUnreachable``
        before anything was broadcast.
        """
        async with signer.turn:
            results: list[Sent | Refusal] = []
            tries = 0
            while len(results) < len(batches):
                rest = batches[len(results) :]
                signed = await self._sign(signer, rest, memo, unmeasured=unmeasured)
                if isinstance(signed, Refusal):
                    results.append(signed)
                    continue
                taken, answer = await self._broadcast(signer, signed)
                results += taken
                tries = 1 if taken else tries + 1
                if answer is None:
                    continue
                kind = kind_of(answer.codespace, answer.code)
                refused = signed[len(taken)]
                if kind in _PUT_OFF and tries < MAX_TRIES:
                    await self._put_off(signer, kind)
                elif kind is Kind.OUT_OF_GAS and tries < MAX_TRIES:
                    self._gas.ran_out(refused.kinds, refused.gas_limit)
                else:
                    signer.forget()  # it may be refused for what is believed of the account
                    results.append(self._refusal(signer, refused, answer, about))
            return results

    async def outcome(self, sent: Sent, about: Subject = UNKNOWN) -> TxResult | Refusal:
        """What the block made of *sent*, or why it did nothing. Raises ``TransactionLost``."""
        # Whoever waits may be cancelled: what is under way goes on.
        result = await asyncio.shield(sent.outcome)
        if not result.code:
            return result
        subject = replace(
            self._subject(sent.signer, about),
            gas_used=result.gas_used,
            gas_limit=sent.gas_limit,
            transaction=sent.hash.hex(),
        )
        kind = kind_of(result.codespace, result.code)
        return Refusal(kind, error_of(result.codespace, result.code, result.log, subject))

    async def passes(self, signer: Signer, messages: Sequence[Message]) -> bool:
        """Whether the chain would execute *messages* now. Raises ``ChainUnreachable``."""
        async with signer.turn:
            try:
                await self._measure(signer, messages)
            except ChainUnreachable:
                raise
            except HubError:
                return False
            return True

    async def _sign(
        self, signer: Signer, batches: Sequence[Sequence[Message]], memo: str, *, unmeasured: bool
    ) -> list[_Signed] | Refusal:
        """Signed in order, up to the first whose gas is not known; its refusal if it is first."""
        found: list[_Signed] = []
        account = await signer.account()
        timeout_height = self._blocks.latest + self.settings.timeout_blocks
        for messages in batches:
            kinds = tuple([message.type_url for message in messages])
            limit = self.settings.max_gas if unmeasured else self._gas.estimate(kinds)
            if limit is None:
                if found:
                    break  # measured once those before it count
                try:
                    self._gas.learned(kinds, await self._measure(signer, messages))
                except ChainUnreachable:
                    raise
                except HubError as error:
                    return Refusal(Kind.REFUSED, error, is_simulated=True)
                limit = self._gas.estimate(kinds) or self.settings.max_gas
            limit = min(limit, self.settings.max_gas)
            transaction = sign(
                messages,
                signer.key,
                chain_id=self._node.chain_id,
                account=queries.Account(
                    number=account.number, sequence=account.sequence + len(found)
                ),
                fee=self._fee(limit),
                timeout_height=timeout_height,
                memo=memo,
            )
            found.append(
                _Signed(
                    transaction=transaction,
                    hash=tx_hash(transaction),
                    kinds=kinds,
                    gas_limit=limit,
                    timeout_height=timeout_height,
                )
            )
        return found

    async def _measure(self, signer: Signer, messages: Sequence[Message]) -> int:
        """Gas that *messages* would use now; *signer*'s turn is held. Raises as the chain does."""
        transaction = sign(
            messages,
            signer.key,
            chain_id=self._node.chain_id,
            account=await signer.account(),
            fee=self._fee(self.settings.max_gas),
            timeout_height=0,
        )
        return await queries.simulate(self._node, transaction)

    async def _broadcast(
        self, signer: Signer, signed: Sequence[_Signed]
    ) -> tuple[list[Sent], Checked | None]:
        """Those taken, and the answer to the first that was not.

        Without any answer all may have been taken: they count as such until their outcome tells.
        """
        try:
            answers = await self._node.broadcast([one.transaction for one in signed])
        except HubError as error:
            _log.warning("broadcast_unanswered", reason=error.reason, detail=str(error))
            return [self._take(signer, one) for one in signed], None
        taken: list[Sent] = []
        for one, answer in zip(signed, answers, strict=True):
            if answer.code and kind_of(answer.codespace, answer.code) not in _TAKEN:
                return taken, answer
            taken.append(self._take(signer, one))
        return taken, None

    def _take(self, signer: Signer, one: _Signed) -> Sent:
        signer.took(one.hash, one.transaction)
        self._sent_at[one.hash] = self._blocks.latest
        task = asyncio.get_running_loop().create_task(self._outcome(signer, one))
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return Sent(hash=one.hash, signer=signer, gas_limit=one.gas_limit, outcome=task)

    async def _outcome(self, signer: Signer, one: _Signed) -> TxResult:
        try:
            result = await self._blocks.outcome(one.hash, one.timeout_height)
        except TransactionLost:
            signer.forget()
            raise
        finally:
            self._sent_at.pop(one.hash, None)
            signer.ended(one.hash)
        if not result.code:
            self._gas.learned(one.kinds, result.gas_used)
        elif result.gas_used >= one.gas_limit:
            self._gas.ran_out(one.kinds, one.gas_limit)
        return result

    def _refusal(self, signer: Signer, signed: _Signed, answer: Checked, about: Subject) -> Refusal:
        subject = replace(
            self._subject(signer, about),
            size=len(signed.transaction),
            gas_limit=signed.gas_limit,
            transaction=signed.hash.hex(),
            timeout_height=signed.timeout_height,
        )
        kind = kind_of(answer.codespace, answer.code)
        return Refusal(kind, error_of(answer.codespace, answer.code, answer.log, subject))

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
            signer.forget()
        await self._node.above(self._blocks.latest)

    async def _again(self, signer: Signer, after: int = AGAIN_AFTER) -> None:
        """What *signer* has under way for *after* blocks is broadcast once more, in order."""
        waiting = signer.under_way
        if not waiting:
            return
        oldest = self._sent_at.get(waiting[0][0], self._blocks.latest)
        if self._blocks.latest >= oldest + after:
            for tx, _ in waiting:
                self._sent_at[tx] = self._blocks.latest
            await self._node.broadcast([transaction for _, transaction in waiting])

    def _fee(self, gas: int) -> Fee:
        price, denomination = self.settings.gas_price, self.settings.denomination
        amount = -(-gas * price.numerator // price.denominator)
        return Fee(amount=((denomination, amount),) if amount else (), gas_limit=gas)
