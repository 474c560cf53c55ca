"""One city: its chain, which lasts, and its adapter's process, which may die.

The chain and the evidence that reached the adapter's disk stay; all else of an adapter is lost.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from adapters.sdk.accepted_log import AcceptedLog
from adapters.sdk.chain import Item
from adapters.sdk.client import AdapterClient, Relayers
from adapters.sdk.session import City
from adapters.simchain.adapter import SimchainAdapter
from adapters.simchain.application import ERROR_ACKNOWLEDGEMENT
from adapters.simchain.node import Node
from adapters.simchain.transfer import SUCCESS
from hub.core.errors import ChainUnreachable
from hub.core.packet import Acknowledgement
from hub.core.time import Duration
from hub.wire.packet import decode_packet, encode_acknowledgement, encode_packet
from tests.simulation.clock import SimChance, SimClock
from tests.simulation.streams import SimChannel

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from adapters.sdk.execution import Execution, ExecutionResult
    from adapters.simchain.chain import Chain
    from adapters.simchain.history import Block
    from hub.core.ids import PeerId
    from hub.core.lane import LaneKey, Side
    from hub.core.ranges import RangeSet
    from tests.simulation.loop import Process, SimLoop
    from tests.simulation.network import Network

    Told = Callable[[PeerId, LaneKey, Side, RangeSet], None]


_SUCCESS: Final = encode_acknowledgement(Acknowledgement((SUCCESS,)))


class Disk(AcceptedLog):
    """The accepted log on a disk of its own, which the adapter's death leaves as it is."""

    def __init__(self, peer: PeerId, lines: list[bytes], told: Told) -> None:
        self._accepted = {}
        self._pending = []
        self._lines = lines
        self._peer = peer
        self._told = told
        for line in lines:
            self._note(self._decoded(line))

    _path: Any = None
    _end = 0

    def append(self, **answer: Any) -> None:
        """As the log does; whoever watches is told too."""
        self._told(self._peer, answer["lane"], answer["side"], answer["sequences"])
        super().append(**answer)

    async def flush(self) -> None:
        """What was appended is on the disk."""
        self._lines += self._pending
        self._pending.clear()


@dataclass
class Will:
    """How an adapter means to behave."""

    chance: Random
    lies_in: int = 0
    """One in so many frames shows something else than the chain has; 0 is none."""
    refuses_in: int = 0
    """One in so many executions is not given to the chain; 0 is none."""

    def comes(self, one_in: int) -> bool:
        """Whether it comes to that now."""
        return bool(one_in) and not self.chance.randrange(one_in)


class SimAdapter(SimchainAdapter):
    """The embedded chain's adapter, which may lie of what stands there, or refuse."""

    def __init__(self, node: Node, will: Will) -> None:
        super().__init__(node)
        self._will = will

    async def packets(self, *args: Any) -> tuple[Item, ...]:
        """As the chain has them, or one of them with another timeout."""
        found = await super().packets(*args)
        if not found or not self._will.comes(self._will.lies_in):
            return found
        packet = decode_packet(found[0].content)
        other = replace(packet, timeout_timestamp=packet.timeout_timestamp + 1)
        return (Item(found[0].sequence, encode_packet(other)), *found[1:])

    async def acknowledgements(self, *args: Any) -> tuple[Item, ...]:
        """As the chain has them, or one of them another."""
        found = await super().acknowledgements(*args)
        if not found or not self._will.comes(self._will.lies_in):
            return found
        answers = (encode_acknowledgement(ERROR_ACKNOWLEDGEMENT), _SUCCESS)
        other = answers[found[0].content == answers[0]]
        return (Item(found[0].sequence, other), *found[1:])

    async def execute(self, execution: Execution) -> ExecutionResult:
        """What the chain made of it."""
        if self._will.comes(self._will.refuses_in):
            raise ChainUnreachable(chain=self.chain_id, problem="it is told to")
        return await super().execute(execution)


class SimRelayers(Relayers):
    """The relayers, over the simulated network."""

    network: Network
    city: str

    def channel(self, address: str, *_: object) -> Any:
        """A channel to *address*."""
        return SimChannel(self.network, self.city, address)


class SimTown:
    """One city."""

    def __init__(
        self, loop: SimLoop, network: Network, peer: PeerId, chain: Chain, chance: Random
    ) -> None:
        self.peer = peer
        self.chain = chain
        self.chain_process: Process = loop.process(f"{peer}-chain")
        self.chain_clock = SimClock(loop)
        self.node = Node(chain, self.chain_clock)
        self.on_block: Callable[[PeerId, Block], None] = lambda *_: None
        self.told: Told = lambda *_: None
        self.process: Process | None = None
        self.clock = SimClock(loop)
        self.disk: list[bytes] = []
        self.will = Will(chance)
        self.has_lied = False
        self._loop = loop
        self._network = network
        self._chance = chance

    def begin(self, interval: int) -> None:
        """Its chain makes a block each *interval* (ns)."""
        self._loop.start(self.chain_process, self.node.run(Duration(interval)))

    def attach(self, addresses: list[str]) -> None:
        """Its adapter starts, and dials these relayers in turn."""
        process = self.process = self._loop.process(self.peer)
        self.clock = SimClock(self._loop, origin=self._chance.randrange(10**15))
        adapter = SimAdapter(self.node, self.will)
        see = self.node.on_block

        def both(block: Block) -> None:
            see(block)
            self.on_block(self.peer, block)

        self.node.on_block = both
        relayers = SimRelayers(addresses=addresses, cert_file="", key_file="", ca_file="")
        object.__setattr__(relayers, "network", self._network)
        object.__setattr__(relayers, "city", self.peer)
        client = AdapterClient(
            City(
                chain=adapter,
                anchors=None,  # type: ignore[arg-type]  # the lanes stand already
                log=Disk(self.peer, self.disk, self.told),
                clock=self.clock,
                randomness=SimChance(self._chance),
                adapter="simulation 1",
                execution_credits=self._chance.choice((1, 2, 16)),
            ),
            relayers,
        )
        self._loop.start(process, client.run())

    def die(self) -> None:
        """Its adapter is gone."""
        assert self.process is not None
        process, self.process = self.process, None
        self._loop.kill(process)
        self._network.drop(process)
