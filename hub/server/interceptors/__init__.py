"""What stands around every call, whatever its kind; outermost first in ``all_of``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.server.interceptors.authentication import Authentication
from hub.server.interceptors.authorisation import Authorisation
from hub.server.interceptors.calls import Calls
from hub.server.interceptors.deadlines import Deadlines
from hub.server.interceptors.errors import Errors
from hub.server.interceptors.request_ids import RequestIds

if TYPE_CHECKING:
    from hub.exchange.revocations import Revocations
    from hub.server.hub import Hub
    from hub.server.interceptors.around import Around


def all_of(hub: Hub, revocations: Revocations) -> list[Around]:
    """The hub server's interceptors."""
    return [
        RequestIds(hub.clock),
        Errors(),
        Calls(hub),
        Authentication(hub.trust_domain, revocations),
        Authorisation(),
        Deadlines(),
    ]
