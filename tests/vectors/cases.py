"""What a vector file asks, and how an answer is held against the one that is stated.

Nothing that a file contains ends a run: what is under judgment and cannot be read is refused like
any other forgery, and a file that does not have its own format is one case whose answer begins with
"error".
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from hub.core.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SUCCESS: Final = "SUCCESS"
NOT_ENOUGH_TRUST: Final = "NOT_ENOUGH_TRUST"
INVALID_HEADER: Final = "INVALID"
INCLUDED: Final = "included"
EXCLUDED: Final = "excluded"
INVALID: Final = "invalid"
VALID: Final = "valid"
ACCEPT: Final = "accept"
REJECT: Final = "reject"

_YES = frozenset(
    {"success", "accept", "accepted", "valid", "verified", "ok", "pass", "passed", "true", "yes"}
    | {INCLUDED, EXCLUDED}
)
_NO = frozenset(
    {"invalid", "reject", "rejected", "refused", "fail", "failed", "false", "no", "error"}
    | {"parse_error", "failed_trusting_period", "expired"}
)


class NotBuilt(Exception):
    """The file is of a format that nothing here verifies yet; its text names the format."""


class Unreadable(ValueError):
    """What is under judgment cannot be read, so it is refused."""


@contextmanager
def under_judgment() -> Iterator[None]:
    """Whatever goes wrong while an untrusted object is read is ``Unreadable``."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One case of a file, not yet asked."""

    case: str
    expected: str | None
    """None where neither the file nor its format states it."""
    ask: Callable[[], str]
    refusal: str = REJECT
    """The answer when a ``HubError`` is raised."""
    also: tuple[str, ...] = ()
    """Other names of the case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One case of a file, asked."""

    family: str
    path: Path
    """From the root of the vectors."""
    case: str
    expected: str | None
    got: str
    detail: str = ""
    also: tuple[str, ...] = field(default=())

    @property
    def row(self) -> dict[str, str | None]:
        """What is printed."""
        return {
            "family": self.family,
            "file": self.path.as_posix(),
            "case": self.case,
            "expected": self.expected,
            "got": self.got,
        }

    @property
    def differs(self) -> bool:
        """Whether the answer is not the stated one, or there could be none."""
        if self.expected is None:
            return self.got.startswith("error")
        return not agrees(self.expected, self.got)

    def is_named(self, case: str) -> bool:
        """Whether *case* is one of its names, whatever the spelling."""
        return _plain(case) in {_plain(name) for name in (self.case, *self.also)}


def asked(question: Question) -> tuple[str, str]:
    """The answer to *question*, and why."""
    try:
        return question.ask(), ""
    except HubError as error:
        return question.refusal, f"{error.reason}: {error}"
    except Unreadable as error:
        return question.refusal, str(error)
    except Exception as error:  # noqa: BLE001 - a run never ends by what a file contains
        return f"error: {type(error).__name__}: {error}", ""


def agrees(expected: str, got: str) -> bool:
    """Whether *got* is what *expected* means; the field has many words for yes and for no."""
    want, have = expected.strip().lower(), got.strip().lower()
    if want == have:
        return True
    if want == "acceptable":
        return have in _YES or have in _NO
    if {want, have} == {INCLUDED, EXCLUDED}:
        return False
    if want in _YES:
        return have in _YES
    if want in {"reject", "rejected", "refused"}:
        return have in _NO or have == NOT_ENOUGH_TRUST.lower()
    return want in _NO and have in _NO


def _plain(name: str) -> str:
    """*name* without punctuation, and a counted one as its number alone."""
    bare = re.sub(r"[^a-z0-9]", "", name.lower())
    counted = re.fullmatch(r"(?:input|step|case|tests?|tcid|tc|index|item|height|no)0*(\d+)", bare)
    return counted[1] if counted else re.sub(r"^0+(?=\d+$)", "", bare)
