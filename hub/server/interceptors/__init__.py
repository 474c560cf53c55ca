"""What stands around every call, whatever its kind; outermost first in ``all_of``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.server.interceptors.arrivals import Arrivals
from hub.server.interceptors.authentication import Authentication
from hub.server.interceptors.authorisation import Authorisation
from hub.server.interceptors.calls import Calls
from hub.server.interceptors.deadlines import Deadlines
from hub.server.interceptors.errors import Errors
from hub.server.interceptors.request_ids import RequestIds
from hub.server.limits import MAX_CALLS

if TYPE_CHECKING:
    import grpc

    from hub.exchange.revocations import Revocations
    from hub.server.hub import Hub


def all_of(hub: Hub, revocations: Revocations) -> list[grpc.aio.ServerInterceptor]:
    """The hub server's interceptors."""
    return [
        Arrivals(MAX_CALLS),
        RequestIds(hub.clock),
        Errors(),
        Calls(hub),
        Authentication(hub.trust_domain, revocations),
        Authorisation(),
        Deadlines(),
    ]
