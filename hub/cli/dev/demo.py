"""``ydhub dev demo``: the main job from nothing, under load and under attack, judged at the end.

Three cities exchange packets; the relayer is killed under load; a packet times out, one is denied;
a chain forges a header, forges a proof, replays, and signs two truths. What counts in the end are
the chains' own ledgers (ledgers.py), not what the hub says of itself.
"""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ydhub.client.v1 import client_pb2, client_service_pb2
from ydhub.hub.v1 import status_service_pb2
from ydhub.lane.v1 import lane_pb2, lane_service_pb2
from ydhub.packet.v1 import packet_pb2, packet_service_pb2
from ydhub.peer.v1 import peer_pb2, peer_service_pb2
from ydhub.simchain.v1 import simchain_service_pb2 as simchain

from hub.cli.clock import wall_clock
from hub.cli.connection import connect
from hub.cli.dev.configs import ACCOUNTS, token
from hub.cli.dev.layout import CHAINS, RELAYER
from hub.cli.dev.ledgers import Books, Findings, judge, read_accepted
from hub.core.errors import AnswerOverdue, Reason
from hub.core.lane import LaneKey
from hub.core.time import MILLISECOND, SECOND, Duration
from hub.wire import anchor_file
from hub.wire.anchors import anchor_to_proto
from hub.wire.status import RemoteError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hub.cli.connection import Connection
    from hub.cli.dev.network import Network
    from hub.cli.settings import Settings

HANGZHOU, SUZHOU, SHANGHAI = map(str, CHAINS)
PAIRS: Final = ((HANGZHOU, SUZHOU), (SUZHOU, SHANGHAI), (SHANGHAI, HANGZHOU))
PER_LANE: Final = 250
"""Transfers of the load over each of the six lanes."""
AMOUNT: Final = 1
ROUTE: Final = "transfer~transfer"
DENIED_PORT: Final = "archive"
SHORT_S: Final = 2
"""Seconds until the packet times out that nobody can carry."""
LONG_S: Final = 3600
POLL_S: Final = 0.25
PATIENCE: Final = Duration(60 * SECOND)
_TO_FROZEN: Final = "packet to the frozen chain"
_REFUNDED = packet_pb2.PACKET_STATE_REFUNDED


@dataclass(slots=True)
class Report:
    """What was shown."""

    lines: list[tuple[str, str]] = field(default_factory=list)
    """(what, how it was)."""
    failures: list[str] = field(default_factory=list)
    """Empty where everything held."""

    def note(self, what: str, how: str, *, holds: bool = True) -> None:
        """*what* was shown; where it does not hold, the demo fails."""
        self.lines.append((what, how))
        if not holds:
            self.failures.append(f"{what}: {how}")


class Demo:
    """One run over a network that is up."""

    def __init__(
        self, network: Network, settings: Settings, tell: Callable[[str, str], None]
    ) -> None:
        """A run that tells of its progress."""
        self._network = network
        self._settings = settings
        self._tell = tell
        self._report = Report()
        self._lanes: dict[tuple[str, str], LaneKey] = {}

    async def run(self) -> Report:
        """What was shown. Raises ``RemoteError`` or ``AnswerOverdue`` where it cannot go on."""
        began = wall_clock()
        async with connect(self._settings) as hub:
            await self._register(hub)
            await self._open(hub)
            await self._load_and_kill(hub)
            await self._deny(hub)
            await self._misbehave(hub)
            await self._equivocate(hub)
            await self._judge(hub)
        self._report.note("time", seconds(wall_clock() - began))
        return self._report

    async def _register(self, hub: Connection) -> None:
        for peer in CHAINS:
            file = anchor_file.read_peer(self._network.layout.anchor("hub", peer))
            found = peer_pb2.Peer(
                name=f"peers/{peer}",
                display_name=file.display_name,
                anchor=anchor_to_proto(file.anchor),
            )
            request = peer_service_pb2.RegisterPeerRequest(peer=found)
            await hub.call(hub.peers.RegisterPeer, request)

        async def attached() -> str:
            listed = await hub.call(hub.peers.ListPeers, peer_service_pb2.ListPeersRequest())
            count = sum(peer.attached for peer in listed.peers)
            return "" if count == len(CHAINS) else f"{count} of {len(CHAINS)} attached"

        await self._until("peers", attached)
        self._report.note("peers registered and attached", str(len(CHAINS)))

    async def _open(self, hub: Connection) -> None:
        """Both lanes of every pair, all at once."""
        names = []
        for source, destination in PAIRS:
            request = lane_service_pb2.OpenLaneRequest(
                source_peer=f"peers/{source}",
                destination_peer=f"peers/{destination}",
                allow_routes=[ROUTE],
            )
            names.append((await hub.call(hub.lanes.OpenLane, request)).opening.name)
        found: dict[str, lane_pb2.LaneOpening] = {}

        async def opened() -> str:
            for name in names:
                asked = lane_service_pb2.GetLaneOpeningRequest(name=name)
                found[name] = (await hub.call(hub.lanes.GetLaneOpening, asked)).opening
            waiting = [o for o in found.values() if o.state != lane_pb2.LaneOpening.STATE_DONE]
            return f"{len(waiting)} openings: {waiting[0].step}" if waiting else ""

        await self._until("lanes", opened)
        for opening in found.values():
            for lane in opening.lanes:
                key = LaneKey.parse(lane.name)
                self._lanes[key.source_peer, key.destination_peer] = key
        self._report.note("lanes opened with proven clients", str(len(self._lanes)))

    async def _load_and_kill(self, hub: Connection) -> None:
        """The relayer dies under load; what it left, and what times out meanwhile, ends right."""
        began = wall_clock()
        await asyncio.gather(*[self._send(source, to, PER_LANE) for source, to in self._lanes])
        total = PER_LANE * len(self._lanes)

        async def under_way() -> str:
            accepted, completed = await self._counts(hub)
            return "" if accepted else f"{accepted} accepted, {completed} completed"

        await self._until("load", under_way)
        accepted, completed = await self._counts(hub)
        self._network.processes.send(RELAYER, signal.SIGKILL)
        self._tell("relayer", f"kill -9 with {accepted} accepted, {completed} completed")
        await self._network.processes.wait_for_end(RELAYER)
        self._report.note(
            "relayer killed with -9 under load",
            f"{accepted} accepted, {completed} completed of {total}",
            holds=completed < total,
        )
        late = await self._send(HANGZHOU, SUZHOU, 1, timeout_s=SHORT_S)
        self._tell("timeout", f"packet {late.first_sequence} may be received for {SHORT_S} s")
        await asyncio.sleep(SHORT_S + 1)
        await self._network.start(RELAYER)

        async def all_completed() -> str:
            accepted, completed = await self._counts(hub)
            done = completed >= total + 1
            return "" if done else f"{accepted} accepted, {completed} ended, of {total + 1}"

        await self._until("load", all_completed)
        took = seconds(wall_clock() - began)
        self._report.note("packets acknowledged with proofs and completed", f"{total}")
        self._report.note("their time, the relayer's death in it", took)
        state = await self._state(hub, HANGZHOU, SUZHOU, late.first_sequence)
        self._report.note(
            "timeout proven by absence and refunded", word(state), holds=state == _REFUNDED
        )

    async def _deny(self, hub: Connection) -> None:
        """A packet of a route that is not listed is never delivered, and refunded."""
        sent = await self._send(HANGZHOU, SUZHOU, 1, timeout_s=SHORT_S, port=DENIED_PORT)
        states: list[packet_pb2.PacketState.ValueType] = []

        async def refunded() -> str:
            state = await self._state(hub, HANGZHOU, SUZHOU, sent.first_sequence)
            if state not in states:
                states.append(state)
            return "" if state == _REFUNDED else f"packet {sent.first_sequence} {word(state)}"

        await self._until("denied", refunded)
        seen = ", ".join(word(state) for state in states if state)
        was_denied = packet_pb2.PACKET_STATE_DENIED in states
        self._report.note("denied by policy and refunded", seen, holds=was_denied)

    async def _misbehave(self, hub: Connection) -> None:
        """Lies are refused, each with its reason; a repetition is told so."""
        kinds = simchain.MisbehaveRequest
        for kind, what in (
            (kinds.KIND_FORGE_HEADER, "forged header refused"),
            (kinds.KIND_FORGE_PROOF, "forged proof refused"),
        ):
            answer = await self._offend(SUZHOU, kind, HANGZHOU)
            self._tell("attack", f"{what}: {answer.reason} ({answer.detail})")
            self._report.note(what, answer.reason or "taken", holds=bool(answer.reason))
        answer = await self._offend(SUZHOU, kinds.KIND_REPLAY, HANGZHOU)
        self._tell("attack", f"replay: {answer.reason or answer.detail}")
        self._report.note("replayed packets", answer.reason or answer.detail)
        ended = (await self._counts(hub))[1]
        self._report.note("packets ended so far", str(ended))

    async def _equivocate(self, hub: Connection) -> None:
        """Two truths freeze their chain's client; the other lanes go on."""
        kind = simchain.MisbehaveRequest.KIND_EQUIVOCATE
        answer = await self._offend(SHANGHAI, kind, HANGZHOU)
        self._tell("attack", f"{SHANGHAI} signs two blocks: {answer.reason}")
        name = f"peers/{SHANGHAI}/client"
        request = client_service_pb2.GetClientRequest(name=name)
        client = (await hub.call(hub.clients.GetClient, request)).client
        frozen = client.status == client_pb2.CLIENT_STATUS_FROZEN
        evidence = await hub.call(
            hub.clients.ListEvidence, client_service_pb2.ListEvidenceRequest(parent=name)
        )
        self._report.note(
            "equivocation froze its client, evidence kept",
            f"{len(evidence.evidence)} pair of headers",
            holds=frozen and len(evidence.evidence) > 0,
        )
        held = await self._send_to_frozen()
        before = await self._lane_counts(hub, HANGZHOU, SUZHOU)
        await self._send(HANGZHOU, SUZHOU, 100)

        async def others_go_on() -> str:
            count = await self._lane_counts(hub, HANGZHOU, SUZHOU) - before
            return "" if count >= 100 else f"{count} of 100 completed beside the frozen client"  # noqa: PLR2004

        await self._until("others", others_go_on)
        self._report.note("completed beside the frozen client", "100")
        if held is not None:
            state = await self._state(hub, HANGZHOU, SHANGHAI, held.first_sequence)
            self._report.note(_TO_FROZEN, f"held: {word(state)}")

    async def _send_to_frozen(self) -> simchain.SendTransferResponse | None:
        """A packet is sent that will be held; None where its own chain refuses it already.

        The relayer carries the evidence to every chain that follows the frozen one, so the
        source's own light client may be frozen before the packet is sent: both are right.
        """
        try:
            return await self._send(HANGZHOU, SHANGHAI, 1)
        except RemoteError as error:
            if error.reason is not Reason.CLIENT_FROZEN:
                raise
            self._report.note(_TO_FROZEN, f"refused at its source: {error.reason}")
            return None

    async def _judge(self, hub: Connection) -> None:
        """By the chains' own ledgers, the adapters' logs, and the registry's invariants."""
        findings = judge(await self._books())
        self._note_findings(findings)
        request = status_service_pb2.GetDatabaseRequest(ask_invariants=True)
        database = await hub.call(hub.status.GetDatabase, request, timeout_s=PATIENCE / SECOND)
        found = database.invariants
        broken = [one.name for one in found if one.violation_count or one.unfinished]
        self._report.note(
            "registry invariants",
            f"{len(found)} asked, {len(broken)} broken {' '.join(broken)}".strip(),
            holds=bool(found) and not broken,
        )

    def _note_findings(self, findings: Findings) -> None:
        self._report.note(
            "the chains' ledgers",
            f"{findings.sent} sent, {findings.executed} executed, {findings.refunded} refunded, "
            f"{findings.waiting} held",
            holds=findings.sent == findings.executed + findings.refunded + findings.waiting,
        )
        self._report.note("answers 'accepted' accounted for", str(findings.accepted))
        self._report.note(
            "lost, doubled, or out of balance",
            str(len(findings.violations)),
            holds=not findings.violations,
        )
        self._report.failures += findings.violations[:20]

    async def _books(self) -> Books:
        ledgers = {}
        accepted: dict[LaneKey, frozenset[int]] = {}
        for peer in map(str, CHAINS):
            async with connect(self._settings, self._settings.chains[peer]) as chain:
                ledgers[peer] = await chain.call(
                    chain.simchain.GetLedger, simchain.GetLedgerRequest()
                )
            log = read_accepted(self._network.layout.chain(peer) / "accepted.jsonl")
            accepted |= {LaneKey.parse(lane): frozenset(found) for lane, found in log.items()}
        return Books(
            ledgers=ledgers,
            lanes=tuple(self._lanes.values()),
            stopped=frozenset({SHANGHAI}),
            accepted=accepted,
            genesis={peer: {token(peer): sum(ACCOUNTS.values())} for peer in map(str, CHAINS)},
            amount=AMOUNT,
        )

    async def _send(
        self, source: str, to: str, count: int, *, timeout_s: int = LONG_S, port: str = ""
    ) -> simchain.SendTransferResponse:
        request = simchain.SendTransferRequest(
            client=self._lanes[source, to].source_client,
            sender="alice",
            receiver="bob",
            denomination=token(source),
            amount=AMOUNT,
            timeout_seconds=timeout_s,
            count=count,
            source_port=port,
        )
        async with connect(self._settings, self._settings.chains[source]) as chain:
            return await chain.call(chain.simchain.SendTransfer, request)

    async def _offend(
        self, peer: str, kind: simchain.MisbehaveRequest.Kind.ValueType, other: str
    ) -> simchain.MisbehaveResponse:
        client = self._lanes[peer, other].source_client
        request = simchain.MisbehaveRequest(kind=kind, client=client)
        async with connect(self._settings, self._settings.chains[peer]) as chain:
            return await chain.call(chain.simchain.Misbehave, request)

    async def _counts(self, hub: Connection) -> tuple[int, int]:
        """Packets accepted, and ended at their source, over all lanes."""
        listed = await hub.call(
            hub.lanes.ListLanes, lane_service_pb2.ListLanesRequest(page_size=100)
        )
        accepted = sum(lane.accepted_count for lane in listed.lanes)
        return accepted, sum(lane.completed_count for lane in listed.lanes)

    async def _lane_counts(self, hub: Connection, source: str, to: str) -> int:
        name = self._lanes[source, to].name
        found = await hub.call(hub.lanes.GetLane, lane_service_pb2.GetLaneRequest(name=name))
        return found.lane.completed_count

    async def _state(
        self, hub: Connection, source: str, to: str, sequence: int
    ) -> packet_pb2.PacketState.ValueType:
        """Where a packet stands; unspecified while it is not accepted."""
        name = f"{self._lanes[source, to].name}/packets/{sequence}"
        try:
            found = await hub.call(
                hub.packets.GetPacket, packet_service_pb2.GetPacketRequest(name=name)
            )
        except RemoteError as error:
            if error.reason is Reason.PACKET_NOT_FOUND:
                return packet_pb2.PACKET_STATE_UNSPECIFIED
            raise
        return found.packet.state

    async def _until(self, what: str, missing: Callable[[], Awaitable[str]]) -> None:
        """Returns when nothing is *missing* any more, telling of it meanwhile.

        Raises ``AnswerOverdue``.
        """
        began = told_at = wall_clock()
        told = ""
        while True:
            left = await missing()
            now = wall_clock()
            if not left:
                self._tell(what, "done")
                return
            if not told or (left != told and now - told_at >= SECOND):
                self._tell(what, left)
                told, told_at = left, now
            if now - began > PATIENCE:
                raise AnswerOverdue(what=f"{what} ({left})", waited_ms=PATIENCE // MILLISECOND)
            await asyncio.sleep(POLL_S)


def word(state: packet_pb2.PacketState.ValueType) -> str:
    """The state's name, as everywhere."""
    return packet_pb2.PacketState.Name(state).removeprefix("PACKET_STATE_")


def seconds(duration: int) -> str:
    """*duration* (ns) for people."""
    return f"{duration / SECOND:.1f} s"
