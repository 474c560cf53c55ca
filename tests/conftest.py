"""What holds for every test: no network but this machine, and property tests that repeat."""

from __future__ import annotations

import ipaddress
import sys

from hypothesis import HealthCheck, settings

# Timing never decides a test, and the same tree gives the same verdict.
settings.register_profile(
    "house", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")


def _refuse_distant_hosts(event: str, arguments: tuple[object, ...]) -> None:
    if event != "socket.connect":
        return
    address = arguments[1]
    if isinstance(address, tuple) and not _is_near(str(address[0])):
        raise RuntimeError(f"a test may connect to this machine only, not to {address[0]}")


def _is_near(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


sys.addaudithook(_refuse_distant_hosts)
