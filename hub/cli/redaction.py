"""What looks like a secret is taken out of text that leaves the machine.

It errs on the side of taking too much: what is named like a secret, what is shaped like a key, and
who logs in to an address. Hashes, identities and names of files stay, for they are no secrets.
"""

from __future__ import annotations

import re
from typing import Any, Final

REDACTED: Final = "[redacted]"
_NAMES: Final = (
    r"[\w.-]*(?:passw(?:or)?d|passphrase|secret|token|mnemonic|private[_-]?key|credential|authorization"
    r"|api[_-]?key|access[_-]?key|cookie|seed)[\w.-]*"
)
_NOT_NAMES: Final = re.compile(r"(?i)(?:page|resume|next_page)_?token|tokens?_per_.*")
_PEM: Final = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
_END: Final = r"""(?:[&\s]|\Z|\\*["'][\]\[(){},;:.]*(?:\s|\Z))"""
"""Of a value in a query. A quote is one only where it ends the word: passwords have quotes too."""
_SCHEME: Final = r"\b[a-z][a-z0-9+.-]*://"
_LOGIN: Final = re.compile(rf"(?i)({_SCHEME})\S*@")
"""Up to the last @ of the word: people put into a password what an address may not have."""
_ADDRESS: Final = re.compile(rf"(?i)\A({_SCHEME}).*@")
"""Where the text is an address, spaces too."""
_UNCLEAR: Final = re.compile(rf"(?i)({_SCHEME})\S*[?&]{_NAMES}=[^&\s]*@(?:(?!{_END})\S)*")
"""An @ within a secret of the query, or that looks so: what is behind it may be no host."""
_QUERY: Final = re.compile(rf"(?i)([?&]{_NAMES}=)(?:(?!{_END})\S)+")
_QUOTED: Final = re.compile(
    # Quotes may stand escaped, where text of ours holds text of others.
    rf"""(?ix)(?P<name>(?:\\*["'])?(?P<bare>{_NAMES})(?:\\*["'])?\s*[:=]\s*)"""
    r"""(?P<value>(?P<escaped>\\+["']).*?(?P=escaped)"""
    r"""|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s,;}\]"']+)"""
)
_BEARER: Final = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}")
_JWT: Final = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*")
_WHOLE_NAME: Final = re.compile(rf"(?i){_NAMES}")


def redact(text: str) -> str:
    """*text* without what looks like a secret."""
    text = _PEM.sub(REDACTED, text)
    text = _UNCLEAR.sub(rf"\1{REDACTED}", text)
    text = _ADDRESS.sub(rf"\1{REDACTED}@", text)
    text = _LOGIN.sub(rf"\1{REDACTED}@", text)
    text = _QUERY.sub(rf"\1{REDACTED}", text)
    text = _BEARER.sub(rf"\1 {REDACTED}", text)
    text = _QUOTED.sub(_without_value, text)
    return _JWT.sub(REDACTED, text)


def redact_value(value: Any, name: str = "") -> Any:
    """A value of JSON or TOML, everything in it that is named like a secret taken out."""
    if isinstance(value, dict):
        return {key: redact_value(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [redact_value(inner, name) for inner in value]
    if name and _is_secret(name):
        return REDACTED if value else value
    return redact(value) if isinstance(value, str) else value


def _is_secret(name: str) -> bool:
    return bool(_WHOLE_NAME.fullmatch(name)) and not _NOT_NAMES.fullmatch(name)


def _without_value(found: re.Match[str]) -> str:
    if _NOT_NAMES.fullmatch(found["bare"]):
        return found[0]
    first = found["value"][0]
    quote = found["escaped"] or (first if first in "\"'" else "")
    return f"{found['name']}{quote}{REDACTED}{quote}"
