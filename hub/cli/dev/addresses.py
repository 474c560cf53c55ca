"""Where a development network listens: free ports of the loopback, kept from start to start."""

from __future__ import annotations

import tomllib
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from hub.cli.dev.layout import ADAPTERS, CHAINS
from hub.cli.loopback import HOST, bound

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from hub.core.ids import PeerId

_PROCESSES: Final = {"metrics": "relayer", "hub_metrics": "hub", "enrolment": "hub"}
"""Whose a listener is that has another name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """host:port of every listener."""

    hub: str
    relayer: str
    metrics: str
    """Of the relayer."""
    hub_metrics: str
    enrolment: str
    """Where cities enrol at the hub."""
    chains: Mapping[PeerId, str]
    adapters: Mapping[PeerId, str] = field(default_factory=dict)
    """By peer, where adapters are processes of their own."""


def read(file: Path) -> Mapping[str, str]:
    """The addresses in ``dev.toml``, by the listener's name; empty where there is no such file."""
    try:
        known = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    found: dict[str, Any] = {
        "hub": known.get("hub", {}).get("server"),
        "relayer": known.get("relayer", {}).get("address"),
        "metrics": known.get("relayer", {}).get("metrics"),
        "hub_metrics": known.get("hub", {}).get("metrics"),
        "enrolment": known.get("hub", {}).get("enrolment"),
        **known.get("chains", {}),
        **{f"{peer}-adapter": address for peer, address in known.get("adapters", {}).items()},
    }
    return {name: value for name, value in found.items() if isinstance(value, str)}


def choose(
    known: Mapping[str, str], is_running: Callable[[str], bool], *, is_split: bool = False
) -> Addresses:
    """Known addresses of what runs, or where nobody else listens; a free port for the rest.

    Adapters have some of their own where *is_split*.
    """
    adapters = ADAPTERS if is_split else {}
    own = ("hub", "relayer", "metrics", "hub_metrics", "enrolment")
    names = (*own, *CHAINS, *adapters.values())
    found: dict[str, str] = {}
    with ExitStack() as stack:
        for name in names:
            process = _PROCESSES.get(name, name)
            address = known.get(name, "")
            if not (address and is_running(process)):
                address = _bind(stack, address)
            found[name] = address
    return Addresses(
        hub=found["hub"],
        relayer=found["relayer"],
        metrics=found["metrics"],
        hub_metrics=found["hub_metrics"],
        enrolment=found["enrolment"],
        chains={peer: found[peer] for peer in CHAINS},
        adapters={peer: found[name] for peer, name in adapters.items()},
    )


def _bind(stack: ExitStack, wished: str) -> str:
    """*wished* if nobody listens there, else another; held until *stack* is left."""
    try:
        held = bound(int(wished.rpartition(":")[2]) if wished else 0)
    except OSError:
        held = bound()
    return f"{HOST}:{stack.enter_context(held).getsockname()[1]}"
