"""keys/keys.yml: who may call. Tokens are never stored, only their SHA-256."""

from __future__ import annotations

import re
from dataclasses import dataclass

from offloader.catalog.fields import Fields
from offloader.catalog.model import Key
from offloader.catalog.problems import Problems
from offloader.catalog.text_rules import repeats
from offloader.catalog.values import parse_timestamp

KEYS_FIELDS = ("keys",)
KEY_FIELDS = ("id", "hash", "tenant", "endpoints", "status", "expires_at")
KEY_STATUSES = ("active", "revoked")
HASH_PATTERN = "[0-9a-f]{64}"
MAX_KEYS = 20_000
MAX_TENANT_LENGTH = 256

_HASH = re.compile(HASH_PATTERN)


@dataclass(frozen=True, slots=True)
class KeyDraft:
    """A key as far as it could be read; `endpoints` keeps the order of the file."""

    fields: Fields
    key: Key
    endpoints: tuple[str, ...]


def read_keys(document: object, file: str, problems: Problems) -> tuple[KeyDraft, ...]:
    """Read a keys file. An empty list of keys is fine: nobody can call."""
    fields = Fields(document, KEYS_FIELDS, file, "", problems)
    if fields.is_mapping and not fields.has("keys"):
        fields.problem("keys", "missing_key", "keys is required", "add keys: []")
    items = fields.sections("keys", KEY_FIELDS, most=MAX_KEYS) or ()
    drafts = tuple(_read_key(item) for item in items)
    for index in repeats(draft.key.id for draft in drafts):
        message = f"the key {drafts[index].key.id} is already in the file"
        drafts[index].fields.problem("id", "duplicate_id", message, "give each key its own id")
    for index in repeats(draft.key.hash for draft in drafts):
        hint = "make a new token for each key"
        message = "another key has the same hash"
        drafts[index].fields.problem("hash", "duplicate_hash", message, hint)
    return drafts


def _read_key(fields: Fields) -> KeyDraft:
    endpoints = fields.names("endpoints", required=True, empty=True) or ()
    key = Key(
        id=fields.identifier("id"),
        hash=_read_hash(fields),
        tenant=_read_tenant(fields),
        endpoints=frozenset(endpoints),
        is_active=fields.choice("status", KEY_STATUSES) != "revoked",
        expires_at=_read_expiry(fields),
    )
    return KeyDraft(fields, key, endpoints)


def _read_hash(fields: Fields) -> str:
    text = fields.text("hash", required=True)
    if not text or _HASH.fullmatch(text):
        return text
    # The value is not shown: it may be a token pasted in the wrong place.
    hint = "write the 64 lower-case hex digits of the token's SHA-256, never the token"
    fields.problem("hash", "bad_hash", "this is not a SHA-256", hint)
    return ""


def _read_tenant(fields: Fields) -> str | None:
    if fields.is_null("tenant"):
        return None
    return fields.text("tenant", max_length=MAX_TENANT_LENGTH) or None


def _read_expiry(fields: Fields) -> float | None:
    if fields.is_null("expires_at"):
        return None
    text = fields.text("expires_at")
    if not text:
        return None
    try:
        return parse_timestamp(text) / 1e6
    except ValueError as error:
        hint = "write it with a zone, such as 2027-01-31T00:00:00Z"
        fields.problem("expires_at", "bad_timestamp", f"expires_at {error}", hint)
        return None
