"""What every expected failure is: a category, a reason, and the numbers that explain it.

The category (the class just below ``HubError``) says what the caller may do. The leaf says which
rule failed, and its fields carry every dynamic part of the message.

::

    HubError
    ├── Malformed           The input is wrong in itself: correct it and send it again.
    ├── VerificationFailed  The evidence does not prove the claim: send better evidence.
    ├── StateForbids        The input is right, but the state forbids it: change the state, or wait.
    ├── NotFound            The named thing does not exist: check the name.
    ├── Conflict            Something else is stored under this identity: stop and look.
    ├── LostRace            Someone else was first: read again and redo the whole step.
    ├── NotAllowed          The caller lacks the right: get it, or ask who has it.
    ├── Exhausted           A limit is reached: wait as told.
    ├── Unavailable         Something is away for the moment: try again automatically.
    ├── Corrupt             A stored record is damaged: call a person.
    ├── Unsupported         The build does not know it: upgrade.

Source: AIP-193 (reason, domain, metadata), AIP-194 (what may be retried).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from hub.core.errors.reasons import Reason

DOMAIN = "ydhub.cn"


@dataclass(kw_only=True, eq=False)
class HubError(Exception):
    """Every failure that the project expects; anything else is a bug."""

    reason: ClassVar[Reason]
    template: ClassVar[str]

    @property
    def metadata(self) -> dict[str, str]:
        """Every field as text, by name."""
        return {field.name: str(getattr(self, field.name)) for field in fields(self)}

    def __str__(self) -> str:
        return self.template.format(**{f.name: getattr(self, f.name) for f in fields(self)})

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only dataclass exceptions do not unpickle by themselves.
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return (_rebuild, (type(self), values))


def _rebuild(kind: type[HubError], values: dict[str, object]) -> HubError:
    return kind(**values)


class Malformed(HubError):
    """The input is wrong in itself: correct it and send it again."""


class VerificationFailed(HubError):
    """The evidence does not prove the claim: send better evidence."""


class StateForbids(HubError):
    """The input is right, but the state forbids it: change the state, or wait."""


class NotFound(HubError):
    """The named thing does not exist: check the name."""


class Conflict(HubError):
    """Something else is stored under this identity: stop and look."""


class LostRace(HubError):
    """Someone else was first: read again and redo the whole step."""


class NotAllowed(HubError):
    """The caller lacks the right: get it, or ask who has it."""


class Exhausted(HubError):
    """A limit is reached: wait as told."""


class Unavailable(HubError):
    """Something is away for the moment: try again automatically."""


class Corrupt(HubError):
    """A stored record is damaged: call a person."""


class Unsupported(HubError):
    """The build does not know it: upgrade."""
