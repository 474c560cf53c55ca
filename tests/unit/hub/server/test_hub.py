from __future__ import annotations

from hub.registry.memory import MemoryRegistry
from hub.server.clock import SystemClock
from hub.server.hub import Hub


def test_cities_enrol_under_the_hubs_own_registry_and_domain() -> None:
    hub = Hub(
        registry=MemoryRegistry(), clock=SystemClock(), trust_domain="ydhub.local", version="1"
    )
    found = hub.enrolment
    assert (found.registry, found.issuer, found.trust_domain) == (hub.registry, None, "ydhub.local")
