"""What the processes of a development network are told, as TOML."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from hub.cli.dev.layout import ADAPTERS, CHAINS, HUB, RELAYER, RELAYER_NAME, TRUST_DOMAIN
from hub.core.time import MILLISECOND, Duration

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hub.cli.dev.addresses import Addresses
    from hub.cli.dev.layout import Layout
    from hub.core.ids import PeerId

ACCOUNTS: Final = {"alice": 1_000_000_000, "bob": 1_000_000_000}
"""Units of the chain's own token that each account holds at the beginning."""
PORTS: Final = ("transfer", "archive")
"""Applications of each chain."""
BLOCK_INTERVAL: Final = Duration(500 * MILLISECOND)
"""From one block of a chain to its next (ns)."""


def token(peer: str) -> str:
    """The own token of the peer's chain."""
    return f"{peer}coin"


def chain_id(peer: str) -> str:
    """The id of the peer's chain."""
    return f"{peer}-1"


def write_configs(
    layout: Layout,
    addresses: Addresses,
    database_url: str,
    block_interval: Duration = BLOCK_INTERVAL,
) -> None:
    """Every process's file says what the network is now."""
    write(layout.config(HUB), hub_config(layout, addresses, database_url))
    write(layout.config(RELAYER), relayer_config(layout, addresses, database_url))
    for peer in CHAINS:
        whole = chain_config(layout, addresses, peer, block_interval)
        chain, adapter = split(layout, addresses, peer, whole)
        write(layout.config(peer), chain if addresses.adapters else whole)
        if addresses.adapters:
            write(layout.config(ADAPTERS[peer]), adapter)
    write(layout.dev_file, dev_file(addresses))


def hub_config(layout: Layout, addresses: Addresses, database_url: str) -> dict[str, object]:
    """See hub/server/config.py."""
    return {
        "listen": addresses.hub,
        "trust_domain": TRUST_DOMAIN,
        "database_url": database_url,
        "reflection": True,
        "metrics_port": _port(addresses.hub_metrics),
        "enrolment_listen": addresses.enrolment,
        "notice_s": 0,
        "drain_s": 5,
        "tls": _tls(layout, HUB),
        "issuer": {
            "cert_file": str(layout.ca / "ca.crt"),
            "key_file": str(layout.ca / "ca.key"),
        },
    }


def relayer_config(layout: Layout, addresses: Addresses, database_url: str) -> dict[str, object]:
    """See relayer/config.py."""
    return {
        "name": RELAYER_NAME,
        "listen": addresses.relayer,
        "trust_domain": TRUST_DOMAIN,
        "database_url": database_url,
        "metrics_port": _port(addresses.metrics),
        "tls": _tls(layout, RELAYER),
    }


def chain_config(
    layout: Layout, addresses: Addresses, peer: PeerId, block_interval: Duration = BLOCK_INTERVAL
) -> dict[str, object]:
    """See adapters/simchain/config.py."""
    others = [other for other in CHAINS if other != peer]
    return {
        "peer": str(peer),
        "chain_id": chain_id(peer),
        "seed": f"development {peer}",
        "directory": str(layout.chain(peer)),
        "listen": addresses.chains[peer],
        "relayers": [addresses.relayer],
        "trust_domain": TRUST_DOMAIN,
        "block_interval_ms": block_interval // MILLISECOND,
        "ports": list(PORTS),
        "tls": _tls(layout, f"peer-{peer}"),
        "counterparties": {other: str(layout.anchor(peer, other)) for other in others},
        "balances": [
            {"account": account, "denomination": token(peer), "amount": amount}
            for account, amount in ACCOUNTS.items()
        ],
    }


def split(
    layout: Layout, addresses: Addresses, peer: PeerId, whole: Mapping[str, object]
) -> tuple[dict[str, object], dict[str, object]]:
    """What the chain's and the adapter's own processes are told, instead of *whole*."""
    chain = {
        key: value for key, value in whole.items() if key not in {"relayers", "counterparties"}
    }
    adapter = {key: value for key, value in whole.items() if key != "block_interval_ms"} | {
        "role": "adapter",
        "directory": str(layout.adapter(peer)),
        "listen": addresses.adapters.get(peer, ""),
        "chain_address": addresses.chains[peer],
    }
    return chain | {"role": "chain"}, adapter


def dev_file(addresses: Addresses) -> dict[str, object]:
    """See hub/cli/settings.py; paths are of the file's own directory."""
    return {
        "hub": {
            "server": addresses.hub,
            "metrics": addresses.hub_metrics,
            "enrolment": addresses.enrolment,
            "trust_domain": TRUST_DOMAIN,
        },
        "tls": {"cert": "certs/admin.crt", "key": "certs/admin.key", "ca": "ca/ca.crt"},
        "relayer": {"address": addresses.relayer, "metrics": addresses.metrics},
        "chains": dict(addresses.chains),
        **({"adapters": dict(addresses.adapters)} if addresses.adapters else {}),
    }


def write(file: Path, values: Mapping[str, object]) -> None:
    """*file* holds *values* as TOML, and is readable by its owner alone."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.new")
    fresh.touch(mode=0o600)
    fresh.write_text(render(values), encoding="utf-8")
    fresh.replace(file)


def render(values: Mapping[str, object]) -> str:
    """*values* as TOML: scalars, lists and tables one level deep."""
    tables = {key: value for key, value in values.items() if isinstance(value, dict)}
    lines = [f"{key} = {_value(value)}" for key, value in values.items() if key not in tables]
    for name, table in tables.items():
        lines += ["", f"[{name}]", *[f"{key} = {_value(value)}" for key, value in table.items()]]
    return "\n".join(lines).lstrip("\n") + "\n"


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


def _value(value: object) -> str:
    """Text, truth, integers, and lists of them or of inline tables."""
    match value:
        case list():
            return f"[{', '.join(map(_value, value))}]"
        case dict():
            return f"{{ {', '.join(f'{key} = {_value(inner)}' for key, inner in value.items())} }}"
        case str() | bool() | int():
            # JSON's strings, booleans and integers are TOML's.
            return json.dumps(value, ensure_ascii=False)
        case _:
            raise TypeError(f"no TOML for {type(value).__name__}")


def _tls(layout: Layout, name: str) -> dict[str, str]:
    certificate, key, ca = layout.certificate(name)
    return {"cert_file": str(certificate), "key_file": str(key), "ca_file": str(ca)}
