"""Pages of lists: a bounded size, and a token that is good for its own list alone.

A token is the last name of a page under a checksum over the list it belongs to. It is no secret:
a caller who makes one up can only choose where a list that it may read goes on.

Source: AIP-158.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256

from hub.core.errors import FieldInvalid, PageTokenInvalid

DEFAULT_SIZE = 50
MAX_SIZE = 1000
_PLACE = re.compile(r"[0-9]{1,19}")
_CHECKSUM_BYTES = 8
_MAX_TOKEN = 16 * 1024


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list, as asked for."""

    scope: str
    """The list, and what it is narrowed to."""
    size: int
    after: str
    """The last entry of the page before; empty for the first page."""

    @classmethod
    def parse(cls, scope: str, page_size: int, page_token: str) -> Page:
        """The page asked for. Raises ``FieldInvalid`` or ``PageTokenInvalid``."""
        if page_size < 0:
            raise FieldInvalid(field="page_size", problem="is negative")
        size = min(page_size or DEFAULT_SIZE, MAX_SIZE)
        return cls(scope, size, _read(scope, page_token) if page_token else "")

    def after_place(self) -> tuple[str, int]:
        """(lane, sequence) of the last entry of the page before; ("", 0) for the first page.

        Raises ``PageTokenInvalid``.
        """
        lane, slash, number = self.after.rpartition("/")
        if not self.after:
            return "", 0
        if not slash or not _PLACE.fullmatch(number):
            raise PageTokenInvalid(token=self.after[:80])
        return lane, int(number)

    def after_number(self) -> int:
        """The number of the last entry of the page before; 0 for the first page.

        Raises ``PageTokenInvalid``.
        """
        if self.after and not _PLACE.fullmatch(self.after):
            raise PageTokenInvalid(token=self.after[:80])
        return int(self.after or 0)

    def token_after(self, entry: str) -> str:
        """The token of the page that begins after *entry*."""
        content = _checksum(self.scope, entry) + entry.encode()
        return urlsafe_b64encode(content).decode()


def _read(scope: str, token: str) -> str:
    try:
        content = urlsafe_b64decode(token.encode("ascii")) if len(token) <= _MAX_TOKEN else b""
        entry = content[_CHECKSUM_BYTES:].decode()
    except ValueError as error:
        raise PageTokenInvalid(token=token[:80]) from error
    if Page(scope, 0, "").token_after(entry) != token:
        raise PageTokenInvalid(token=token[:80])
    return entry


def _checksum(scope: str, entry: str) -> bytes:
    return sha256(f"{len(scope)} {scope} {entry}".encode()).digest()[:_CHECKSUM_BYTES]
