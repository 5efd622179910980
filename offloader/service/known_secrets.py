"""The secrets that are known here: of the environment, of its files, and of the keys' document."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offloader.catalog.text_rules import IDENTIFIER
from offloader.service.redaction import Redactor
from offloader.settings.secrets import read_secret
from offloader.settings.variables import SECRET_FILE_SUFFIX, VARIABLES

# Of libraries and tools beside ours, as they stand in a service's environment.
_OTHERS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "VAULT_TOKEN")


@dataclass(frozen=True, slots=True)
class Secrets:
    """Texts to be masked wherever they stand, and names only where they are whole words."""

    texts: frozenset[str]
    names: frozenset[str] = frozenset()

    def redactor(self) -> Redactor:
        """Return what masks them."""
        return Redactor(self.texts, self.names)


def known_secrets(
    environ: Mapping[str, str], documents: Mapping[str, Any], files: Collection[Path] = ()
) -> Secrets:
    """Return what must not be shown; `files` are those of further secrets.

    The name of a tenant that is also one of the project's own words, such as a part of a column's
    name, is no secret there.
    """
    keys = list(_keys(documents))
    texts = {*_of_environment(environ), *_of_files(files)}
    texts |= {str(key["hash"]) for key in keys if key.get("hash")}
    names = {str(key["tenant"]) for key in keys if key.get("tenant")}
    public = _words({name: one for name, one in documents.items() if name != "keys"})
    return Secrets(frozenset(texts), frozenset(names - public))


def _of_environment(environ: Mapping[str, str]) -> Iterator[str]:
    for variable in VARIABLES:
        if variable.is_secret:
            yield environ.get(variable.name, "")
            named = environ.get(variable.name + SECRET_FILE_SUFFIX)
            yield from _of_files([Path(named)] if named else [])
    yield from (environ.get(name, "") for name in _OTHERS)


def _of_files(files: Collection[Path]) -> Iterator[str]:
    for path in files:
        fault, secret = read_secret(path)
        if fault is None:
            yield secret


def _keys(documents: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    document = documents.get("keys")
    listed = document.get("keys") if isinstance(document, dict) else None
    yield from (key for key in listed or () if isinstance(key, dict))


def _words(value: Any) -> set[str]:
    """Return the words that identifiers of documents are made of, and the identifiers."""
    if isinstance(value, dict):
        return {word for pair in value.items() for one in pair for word in _words(one)}
    if isinstance(value, list):
        return {word for one in value for word in _words(one)}
    is_identifier = isinstance(value, str) and bool(IDENTIFIER.fullmatch(value))
    return {value, *value.split("_")} if is_identifier else set()
