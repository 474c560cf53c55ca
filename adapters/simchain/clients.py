"""Light clients on this chain: each verifies one other chain, from the operator's own anchor.

Source: ICS-02; ibc-go v10 modules/core/02-client and light-clients/07-tendermint (update.go;
misbehaviour_handle.go: a header that contradicts a stored one freezes the client).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from adapters.simchain import client_store as store
from adapters.simchain.events import ClientCreated, ClientUpdated, MisbehaviourFound
from hub.core.client import ClientStatus, check_anchor
from hub.core.errors import (
    AnchorInvalid,
    AnchorMismatch,
    ClientFrozen,
    ClientPending,
    ClientTypeUnknown,
    FieldInvalid,
    LaneExists,
    LaneNotOpen,
    LimitExceeded,
    TrustExpired,
)
from hub.core.ids import parse_client_id
from hub.core.paths import next_sequence_send_key
from hub.core.time import Duration, Timestamp
from hub.light_clients.cometbft.client_state import (
    ClientState,
    Counterparty,
    decode_client_state,
    encode_client_state,
)
from hub.light_clients.interface import NeedsBisection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.simchain.messages import (
        CreateClient,
        RegisterCounterparty,
        SubmitMisbehaviour,
        UpdateClient,
        UpdateStep,
    )
    from adapters.simchain.state import State
    from hub.core.client import Anchor, ConsensusState, Header
    from hub.core.height import Height
    from hub.core.ids import ClientId
    from hub.light_clients.interface import LightClient

MAX_STEPS: Final = 256
"""Headers of one update."""
_OPENING = re.compile(r"[a-zA-Z0-9._/-]{0,128}")
_FIRST = (1).to_bytes(8, "big")


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """A client that may be built on, and the other end that it is bound to."""

    client: ClientId
    state: ClientState
    counterparty: Counterparty


@dataclass(frozen=True, slots=True)
class Clients:
    """What the chain does with light clients of one family."""

    light_client: LightClient

    def create(self, state: State, message: CreateClient) -> ClientId:
        """The id of a client that waits for its anchor's header; of the same, if opened before.

        Raises ``AnchorInvalid``, ``FieldInvalid``, ``IdentifierInvalid``, ``EncodingNotCanonical``,
        ``ClientTypeUnknown`` or ``LaneExists``.
        """
        anchor = message.anchor
        check_anchor(anchor)
        if _OPENING.fullmatch(message.opening) is None:
            raise FieldInvalid(field="opening", problem="is not 0 to 128 of a-z A-Z 0-9 . _ / -")
        if anchor.client_type != self.light_client.client_type:
            known = self.light_client.client_type
            raise ClientTypeUnknown(client_type=anchor.client_type, known=known)
        found = store.opened(state, message.opening) if message.opening else None
        if found is not None:
            before = (store.anchor(state, found), store.is_ordered(state, found))
            if before != (anchor, message.ordered):
                raise LaneExists(name=f"opening {message.opening}")
            return found
        initial = _initial(anchor)
        client = store.new_client_id(state, anchor.client_type)
        store.put_anchor(state, client, anchor)
        if message.ordered:
            store.put_ordered(state, client)
        if message.opening:
            store.put_opening(state, client, message.opening)
        store.put_client_state(state, client, initial)
        state.events.append(ClientCreated(client, message.opening))
        return client

    def register_counterparty(self, state: State, message: RegisterCounterparty) -> bool:
        """The client is bound to its counterparty; False if it was before, to the same one.

        Raises ``ClientNotFound``, ``AnchorMismatch``, ``IdentifierInvalid`` or ``LaneExists``.
        """
        parse_client_id(message.counterparty)
        anchor = store.anchor(state, message.client)
        if message.prefix != anchor.prefix:
            raise AnchorMismatch(
                field="prefix", got=str(message.prefix), expected=str(anchor.prefix)
            )
        wanted = Counterparty(
            client=message.counterparty,
            prefix=message.prefix,
            ordered=store.is_ordered(state, message.client),
        )
        found = store.counterparty(state, message.client)
        if found is not None:
            if found != wanted:
                raise LaneExists(name=f"{message.client} with {found.client}")
            return False
        store.put_counterparty(state, message.client, wanted)
        state.set(store.STORE, next_sequence_send_key(message.client), _FIRST)
        return True

    def status(self, state: State, client: ClientId, now: Timestamp) -> ClientStatus:
        """Whether *client* may be built on at *now*. Raises ``ClientNotFound``."""
        try:
            self._check_active(state, client, store.client_state(state, client), now)
        except ClientPending:
            return ClientStatus.PENDING
        except ClientFrozen:
            return ClientStatus.FROZEN
        except TrustExpired:
            return ClientStatus.EXPIRED
        return ClientStatus.ACTIVE

    def end(self, state: State, client: ClientId, now: Timestamp) -> End:
        """*client*, active at *now* and with a counterparty.

        Raises ``ClientNotFound``, ``ClientPending``, ``ClientFrozen``, ``TrustExpired`` or
        ``LaneNotOpen``.
        """
        found = store.client_state(state, client)
        self._check_active(state, client, found, now)
        counterparty = store.counterparty(state, client)
        if counterparty is None:
            raise LaneNotOpen(lane=client, state="without a counterparty")
        return End(client=client, state=found, counterparty=counterparty)

    def update(self, state: State, message: UpdateClient, now: Timestamp) -> bool:
        """The client has verified every header in turn; False if one contradicted and it froze.

        Raises ``ClientNotFound``, ``ClientFrozen``, ``LimitExceeded``, ``ConsensusStateMissing``,
        or as the light client does.
        """
        if len(message.steps) > MAX_STEPS:
            raise LimitExceeded(what="update steps", count=len(message.steps), limit=MAX_STEPS)
        found = store.client_state(state, message.client)
        anchor = store.anchor(state, message.client)
        if found.is_frozen:
            raise _frozen(message.client)
        for step in message.steps:
            if not self._verified(state, message.client, anchor, step, now):
                return False
        return True

    def submit_misbehaviour(
        self, state: State, message: SubmitMisbehaviour, now: Timestamp
    ) -> bool:
        """The client is frozen; False if it was before.

        Raises ``ClientNotFound``, ``ConsensusStateMissing``, or as the light client does.
        """
        client = message.client
        if store.client_state(state, client).is_frozen:
            return False
        sides = [
            (
                store.consensus_state(state, client, step.trusted_height),
                step.trusted_validators,
                step.header,
            )
            for step in (message.first, message.second)
        ]
        anchor = store.anchor(state, client)
        self.light_client.verify_misbehaviour(anchor, sides[0], sides[1], now=now)
        headers = (message.first.header, message.second.header)
        self._freeze(state, client, "two headers contradict each other", headers)
        return True

    def verify_batch(
        self,
        state: State,
        end: End,
        height: Height,
        leaves: Sequence[tuple[bytes, bytes]],
        proof: bytes,
    ) -> None:
        """*proof* shows each (key, value) of the other chain's store under the root at *height*.

        Raises ``ConsensusStateMissing``, or as the light client does.
        """
        root = store.consensus_state(state, end.client, height).root
        self.light_client.verify_batch(root, end.counterparty.prefix, leaves, proof)

    def verify_presence(
        self, state: State, end: End, height: Height, leaf: tuple[bytes, bytes], proof: bytes
    ) -> None:
        """*proof* shows the (key, value) of *leaf* in the other chain's store at *height*.

        Raises as ``verify_batch``.
        """
        key, value = leaf
        root = store.consensus_state(state, end.client, height).root
        self.light_client.verify_membership(root, end.counterparty.prefix, key, value, proof)

    def verify_absence(
        self, state: State, end: End, height: Height, key: bytes, proof: bytes
    ) -> None:
        """*proof* shows that nothing is at *key* of the other chain's store at *height*.

        Raises as ``verify_batch``.
        """
        root = store.consensus_state(state, end.client, height).root
        self.light_client.verify_non_membership(root, end.counterparty.prefix, key, proof)

    def _verified(
        self, state: State, client: ClientId, anchor: Anchor, step: UpdateStep, now: Timestamp
    ) -> bool:
        """Whether the header of *step* is verified and kept; else it contradicted one that was."""
        found = store.client_state(state, client)
        if found.latest_height is None:
            first = self.light_client.trust_anchor(anchor, step.header)
            self._keep(state, client, found, first)
            self._check_active(state, client, store.client_state(state, client), now)
            return True
        claimed = self.light_client.read_header(step.header)
        if store.find_consensus_state(state, client, claimed.height) == claimed:
            return True
        trusted = store.consensus_state(state, client, step.trusted_height)
        verdict = self.light_client.verify_header(
            anchor, trusted, step.trusted_validators, step.header, now=now
        )
        if isinstance(verdict, NeedsBisection):
            raise verdict.shortfall
        new = verdict.state
        conflict = self.light_client.find_conflict(new, store.around(state, client, new.height))
        if conflict is not None:
            cause = f"the header at {new.height} contradicts the one at {conflict.height}"
            self._freeze(state, client, cause, (step.header,))
            return False
        self._keep(state, client, found, new)
        return True

    def _keep(
        self, state: State, client: ClientId, found: ClientState, new: ConsensusState
    ) -> None:
        store.add_consensus_state(state, client, new)
        latest = max(found.latest_height or new.height, new.height)
        store.put_client_state(state, client, replace(found, latest_height=latest))
        state.events.append(ClientUpdated(client, new.height))

    def _freeze(
        self, state: State, client: ClientId, cause: str, headers: tuple[Header, ...]
    ) -> None:
        found = store.client_state(state, client)
        store.put_client_state(state, client, replace(found, is_frozen=True))
        state.events.append(MisbehaviourFound(client, cause, headers))

    def _check_active(
        self, state: State, client: ClientId, found: ClientState, now: Timestamp
    ) -> None:
        if found.is_frozen:
            raise _frozen(client)
        if found.latest_height is None:
            raise ClientPending(client=client, height=store.anchor(state, client).height.number)
        latest = store.consensus_state(state, client, found.latest_height)
        expires_at = latest.time + found.options.trusting_period
        if now >= expires_at:
            raise TrustExpired(expires_at=expires_at, now=now)


def _initial(anchor: Anchor) -> ClientState:
    # The trusting period is usually two thirds of the unbonding period.
    state = ClientState(
        chain_id=anchor.chain_id,
        options=anchor.options,
        unbonding_period=Duration(anchor.options.trusting_period * 3 // 2 + 1),
        latest_height=None,
        is_frozen=False,
    )
    # What cannot be read again must not be written.
    if decode_client_state(encode_client_state(state)) != state:
        raise AnchorInvalid(field="options", problem="are out of range")
    return state


def _frozen(client: ClientId) -> ClientFrozen:
    return ClientFrozen(client=client, cause="misbehaviour")
