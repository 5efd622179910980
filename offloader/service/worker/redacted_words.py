"""The last look at a document before an operator sees it: words that others wrote lose secrets.

What builds the document shows no secret. But a message repeats what a store or a file said, and a
reason what somebody typed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offloader.service.redaction import Redactor

_OF_OTHERS = frozenset({"message", "hint", "reason", "location", "file", "path"})
_REDACTOR = Redactor(())


def redacted_words(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document whose messages, hints, reasons and places hold nothing that looks secret.

    That is what stands in a URL's query or login, behind `Bearer`, or is a hash as of a key.
    """
    return {name: _redacted(name, value) for name, value in document.items()}


def _redacted(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return redacted_words(value)
    if isinstance(value, list):
        return [_redacted(name, one) for one in value]
    is_of_others = name in _OF_OTHERS and isinstance(value, str) and value
    return _REDACTOR.text(value) if is_of_others else value
