"""The adapter's way to its relayers: dial, attach, and dial again when a session ends.

Several addresses are tried in turn, with exponential backoff and full jitter. The certificate is
read anew for every dial, so a renewed one counts without a restart.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import grpc
import structlog
from ydhub.relay.v1 import relay_service_pb2_grpc

from adapters.sdk.backoff import CHANCES, delay
from adapters.sdk.session import Session
from adapters.sdk.stream import Stream
from adapters.sdk.waiting import within
from hub.core.errors import AdapterOffline, AnswerOverdue, FieldInvalid, HubError, LaneNotFound
from hub.core.time import MILLISECOND, SECOND, Duration
from hub.wire.identity.certificate_file import read_certificate
from hub.wire.identity.credentials import channel_credentials
from hub.wire.status import RemoteError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.sdk.clock import Clock
    from adapters.sdk.pump import Pump
    from adapters.sdk.session import City
    from adapters.sdk.steps import Lane
    from adapters.sdk.submission import Submission, Verdict
    from hub.core.ids import ClientId
    from hub.core.lane import Side
    from hub.core.time import Timestamp

LONGEST_REDIAL: Final = Duration(3 * SECOND)
"""A relayer that comes back, or another that takes over, is found within this (ns)."""
CONNECT_WITHIN: Final = Duration(3 * SECOND)
"""A relayer that takes the connection and says nothing, not even of TLS, stands still."""
LASTING: Final = Duration(5 * SECOND)
"""A session that lasted so long (ns) was a good one: the next dial waits as after one failure."""

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", 8 * 1024 * 1024),
    ("grpc.max_send_message_length", 8 * 1024 * 1024),
    # Each dial is a fresh one: no backoff of an earlier channel to the same address counts.
    ("grpc.use_local_subchannel_pool", 1),
)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Relayers:
    """Where the relayers are, and who the adapter is to them."""

    addresses: Sequence[str]
    """``host:port``, at least one, in the order in which they are tried."""
    cert_file: str
    key_file: str
    ca_file: str

    def channel(self, address: str, now: Timestamp) -> grpc.aio.Channel:
        """A new channel to *address*. Raises ``FieldInvalid`` or ``CertificateExpired``."""
        read_certificate(self.cert_file).check(now)
        credentials = channel_credentials(self.cert_file, self.key_file, self.ca_file)
        return grpc.aio.secure_channel(address, credentials, options=_OPTIONS)

    def after(self, address: str) -> str:
        """The address that is tried after *address*; one that is named twice counts once."""
        distinct = list(dict.fromkeys(self.addresses))
        return distinct[(distinct.index(address) + 1) % len(distinct)]


class AdapterClient:
    """Keeps one session with one relayer, as long as it runs."""

    def __init__(self, city: City, relayers: Relayers) -> None:
        """A client of *relayers* for *city*. Raises ``FieldInvalid``."""
        if not relayers.addresses:
            raise FieldInvalid(field="relayer addresses", problem="are missing")
        self._city = city
        self._relayers = relayers
        self._session: Session | None = None

    async def run(self) -> None:
        """Attaches again and again until it is cancelled."""
        tries = 0
        address = self._relayers.addresses[0]
        while True:
            began = self._city.clock.monotonic()
            preferred = await self._attach(address)
            address = preferred or self._relayers.after(address)
            lasted = self._city.clock.monotonic() - began
            # Two adapters of one peer would else end each other's sessions without a pause.
            tries = 1 if lasted >= LASTING else tries + 1
            if preferred and tries == 1:
                continue
            chance = self._city.randomness.below(CHANCES)
            await self._city.clock.sleep(delay(tries, chance, longest=LONGEST_REDIAL))

    async def submit(self, submission: Submission) -> Verdict:
        """What the relayer makes of *submission*, shown beside the session's own frames.

        Raises ``AdapterOffline`` where there is no session, or it ends before the verdict.
        """
        # Cancelling a write would end the whole stream.
        return await asyncio.shield(self._pump().submit(submission))

    def lane(self, client: ClientId, side: Side) -> Lane:
        """The lane of the chain's own *client* with that end here, as the session knows it.

        Raises ``LaneNotFound`` or ``AdapterOffline``.
        """
        for lane in self._pump().lanes_of(client):
            if lane.side is side:
                return lane
        raise LaneNotFound(name=f"a lane of {client}")

    def _pump(self) -> Pump:
        session = self._session
        if session is None or not session.is_welcome:
            raise AdapterOffline(peer=self._city.chain.chain_id)
        return session.pump

    async def _attach(self, address: str) -> str:
        """One session with the relayer at *address*, from its dial to its end; where to dial next.

        That is empty unless the relayer has named another one of ours.
        """
        prefers = ""
        try:
            async with self._relayers.channel(address, self._city.clock.now()) as channel:
                await _connected(channel, self._city.clock)
                call = relay_service_pb2_grpc.RelayServiceStub(channel).Attach()
                self._session = Session(self._city, Stream(call, self._city.clock))
                await self._session.run()
        except RemoteError as error:
            reason = error.reason or error.code
            _log.warning("session_ended", address=address, reason=reason, detail=error.message)
        except HubError as error:
            _log.warning("session_ended", address=address, reason=error.reason, detail=str(error))
        except Exception:  # noqa: BLE001 - a bug ends one session, and the next one goes on
            _log.exception("session_failed", address=address)
        finally:
            if self._session is not None and self._session.prefers in self._relayers.addresses:
                prefers = self._session.prefers
            self._session = None
            await self._flush()
        return prefers

    async def _flush(self) -> None:
        try:
            await self._city.log.flush()
        except OSError as error:
            _log.error("accepted_log_failed", detail=str(error))


async def _connected(channel: grpc.aio.Channel, clock: Clock) -> None:
    """Returns once *channel* is connected, or cannot be: a call tells why.

    Raises ``AnswerOverdue``.
    """
    try:
        await within(_settled(channel), clock, CONNECT_WITHIN)
    except TimeoutError as error:
        waited_ms = CONNECT_WITHIN // MILLISECOND
        raise AnswerOverdue(what="connection", waited_ms=waited_ms) from error


async def _settled(channel: grpc.aio.Channel) -> None:
    state = channel.get_state(try_to_connect=True)
    while state in {grpc.ChannelConnectivity.IDLE, grpc.ChannelConnectivity.CONNECTING}:
        await channel.wait_for_state_change(state)
        state = channel.get_state(try_to_connect=True)
