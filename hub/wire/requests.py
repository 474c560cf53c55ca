"""What every changing request has in common: who asks, why, and how to know it again."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING

from hub.core.errors import FieldInvalid
from hub.ports.caller import MAX_REQUEST_ID, Caller

if TYPE_CHECKING:
    from google.protobuf.message import Message

MAX_CAUSE = 256
"""Characters."""
_REQUEST_ID = re.compile(rf"[\x21-\x7e]{{0,{MAX_REQUEST_ID}}}")


def caller_of(identity: str, request: Message, request_id: str) -> Caller:
    """The author of *request*, with the digest of its contents. Raises ``FieldInvalid``.

    Source: AIP-155.
    """
    if _REQUEST_ID.fullmatch(request_id) is None:
        problem = f"is not at most {MAX_REQUEST_ID} printable ASCII characters"
        raise FieldInvalid(field="request_id", problem=problem)
    kind = request.DESCRIPTOR.full_name.encode()
    content = request.SerializeToString(deterministic=True)
    return Caller(
        identity=identity, request_id=request_id, digest=sha256(kind + b"\0" + content).digest()
    )


def parse_cause(text: str) -> str:
    """*text* as a cause for the record: 1 to 256 printable characters. Raises ``FieldInvalid``."""
    if not 1 <= len(text) <= MAX_CAUSE or not text.isprintable():
        problem = f"is not 1 to {MAX_CAUSE} printable characters"
        raise FieldInvalid(field="cause", problem=problem)
    return text
