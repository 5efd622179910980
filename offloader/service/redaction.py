"""Take secrets out of text that leaves the house: known ones in every form, others by their looks.

What is known to be secret (tokens, keys, hashes, names of tenants) is masked wherever it stands:
plain, percent-encoded, in JSON, hexadecimal, base64. What only looks like one is masked, too:
queries and logins of URLs, credentials behind their scheme, JSON web tokens, private keys.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Iterable
from urllib.parse import quote, quote_plus

MASK = "[redacted]"
_LEAST_ENCODED = 8
_LEAST_SECRET = 4
_END = r"\s\"'\\<>"

_LOGIN = re.compile(rf"([A-Za-z][A-Za-z0-9+.-]*://)[^/@{_END}]*@")
_URL_REST = re.compile(rf"([A-Za-z][A-Za-z0-9+.-]*://[^?#{_END}]*)[?#][^{_END}]*")
_QUERY = re.compile(rf"(?<=[^{_END}])\?[^{_END}]*=[^{_END}]*")
_ENCODED_QUERY = re.compile(rf"%3[Ff][^{_END}]*%3[Dd][^{_END}]*")
_HEADER = re.compile(
    r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie|x-api-key|x-amz-security-token)"
    r"([\\\"']*[ \t]*[:=][ \t]*[\\\"']*)([^\s\"',;\\]+(?:[ \t]+[^\s\"',;\\]+)?)"
)
_SCHEME = re.compile(r"(?i)\b(bearer|basic|negotiate)[ \t]+[A-Za-z0-9._~+/=-]{6,}")
_LOOKS_SECRET = re.compile(
    r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]+"  # a JSON web token
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b|\bya29\.[A-Za-z0-9_-]+"  # keys of clouds
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----(?:.*?-----END [A-Z ]*PRIVATE KEY-----|.*)",
    re.DOTALL,
)
_HASH = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{64}(?![0-9A-Za-z])")


class Redactor:
    """Masks secrets; `names`, such as those of tenants, only where they stand as whole words."""

    def __init__(self, secrets: Iterable[str], names: Iterable[str] = ()) -> None:
        wanted = {one.strip() for one in secrets if len(one.strip()) >= _LEAST_SECRET}
        named = {one for one in names if one}
        parts = [re.escape(form) for secret in wanted for form in forms(secret)]
        for name in named:
            parts += [rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])"]
            parts += [re.escape(form) for form in forms(name) - {name}]
        parts.sort(key=len, reverse=True)  # the longest first: a part of one may be another
        self._known = re.compile("|".join(parts)) if parts else None

    def text(self, text: str, *, keep_hashes: bool = False) -> str:
        """Return a text without secrets; 64 hexadecimal digits may be a checksum to be kept."""
        text = _LOGIN.sub(rf"\1{MASK}@", text)
        text = _URL_REST.sub(rf"\1?{MASK}", text)
        text = _QUERY.sub(f"?{MASK}", text)
        text = _ENCODED_QUERY.sub(MASK, text)
        text = _HEADER.sub(rf"\1\2{MASK}", text)
        text = _SCHEME.sub(rf"\1 {MASK}", text)
        text = _LOOKS_SECRET.sub(MASK, text)
        if not keep_hashes:
            text = _HASH.sub(MASK, text)
        return self._known.sub(MASK, text) if self._known else text


def forms(secret: str) -> set[str]:
    """Return how a secret may be written: plain, percent-encoded, in JSON, hexadecimal, base64.

    In base64 it may begin at any place of three, so what is sure to stand there is given. Encoded
    forms of less than eight characters are left out: they would stand in any text.
    """
    raw = secret.encode("utf-8", "surrogateescape")
    percent = {quote(raw, safe=""), quote(raw), quote_plus(raw)}
    encoded = percent | {_lower_escapes(one) for one in percent}
    encoded |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    encoded |= {raw.hex(), raw.hex().upper()}
    for before in range(3):
        for coded in (base64.b64encode, base64.urlsafe_b64encode):
            text = coded(b"\0" * before + raw).rstrip(b"=").decode()
            encoded.add(text[4 if before else 0 : -2])
    return {secret} | {form for form in encoded if len(form) >= _LEAST_ENCODED}


def named_secrets(texts: Iterable[str], keys: Collection[str]) -> set[str]:
    """Return what stands behind keys such as `hash` in YAML or JSON, well-formed or not."""
    names = "|".join(map(re.escape, keys))
    pair = re.compile(
        rf"[\"']?\b(?:{names})\b[\"']?\s*:\s*(?:\"([^\"\n]*)\"|'([^'\n]*)'|([^\s,}}#]+))"
    )
    found = {
        next(filter(None, match.groups()), "") for text in texts for match in pair.finditer(text)
    }
    return found - {"", "null", "~", "true", "false"}


def _lower_escapes(text: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), text)
