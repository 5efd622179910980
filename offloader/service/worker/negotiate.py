"""What a request's headers ask for: a representation, and whether it has the body already."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from offloader.errors import RequestError
from offloader.query.formats import (
    ARROW,
    CSV,
    FORMAT_PARAMETERS,
    FORMAT_VERSIONS,
    FORMATS,
    JSON,
    NDJSON,
)
from offloader.service.worker.coding import CODING_VERSIONS, GZIP, ZSTD

_QUALITY = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")
_MAX_HEADER = 4096
_MAX_ITEMS = 64
_KEPT_HEADERS, _MAX_KEPT_LENGTH = 512, 256
_IDENTITY = "identity"
_CODING_NAMES = {name: name for name in (GZIP, ZSTD, _IDENTITY, "*")} | {"x-gzip": GZIP}
# The formats that each range of an Accept header matches.
_RANGES: Mapping[str, tuple[str, ...]] = {
    "*/*": FORMATS,
    "application/*": (JSON, NDJSON, ARROW),
    "text/*": (CSV,),
    **{media: (media,) for media in FORMATS},
}


@dataclass(frozen=True, slots=True)
class Representation:
    """A format and a content coding (`""`, "gzip" or "zstd").

    `name` is what an ETag covers: two representations that may differ in a byte differ in it.
    """

    media: str
    coding: str
    name: str = field(init=False)
    content_type: str = field(init=False)

    def __post_init__(self) -> None:
        parameters = [f"; {name}={text}" for name, text in FORMAT_PARAMETERS[self.media].items()]
        versions = (FORMAT_VERSIONS.get(self.media), CODING_VERSIONS.get(self.coding))
        object.__setattr__(self, "name", " ".join([self.media, *filter(None, versions)]))
        object.__setattr__(self, "content_type", self.media + "".join(parameters))


_MADE = {
    (media, coding): Representation(media, coding)
    for media in FORMATS
    for coding in ("", *CODING_VERSIONS)
}
PLAIN_JSON = _MADE[JSON, ""]


def negotiate(accept: str | None, accept_encoding: str | None) -> Representation:
    """Return the representation that a request's Accept and Accept-Encoding prefer.

    Formats tie in the order of FORMATS, so JSON wins. Headers that are longer than 4096 characters
    or 64 items are read up to there. Raises RequestError 406 when Accept names no format there is.
    """
    if len(accept or "") + len(accept_encoding or "") > _MAX_KEPT_LENGTH:
        found = _choose(accept, accept_encoding)
    else:
        found = _choose_kept(accept, accept_encoding)
    if found is None:
        message = "send Accept: " + " or ".join(FORMATS)
        raise RequestError(406, "invalid_request", "not_acceptable", message)
    return found


def matches(if_none_match: str | None, etag: str) -> bool:
    """Tell whether If-None-Match (RFC 9110, 13.1.2) names this ETag; the comparison is weak."""
    if if_none_match is None:
        return False
    text = if_none_match[: 16 * _MAX_HEADER].strip()
    if text == "*":
        return True
    return any(item.strip().removeprefix("W/") == etag for item in text.split(","))


def _choose(accept: str | None, accept_encoding: str | None) -> Representation | None:
    media = FORMATS[0] if accept is None else _media(accept)
    coding = "" if accept_encoding is None else _coding(accept_encoding)
    return _MADE[media, coding] if media else None


# Callers send the same few values over and over; what is unusual is read anew, or pushes out.
_choose_kept = lru_cache(maxsize=_KEPT_HEADERS)(_choose)


def _media(accept: str) -> str:
    """Return the format of the highest quality, `""` when none is acceptable (12.5.1).

    Of the ranges that match a format the most specific one states its quality.
    """
    found: dict[str, tuple[int, float]] = {}
    for media_range, parameters in _items(accept):
        for media in _RANGES.get(media_range, ()):
            match = _match(media, media_range, parameters)
            found[media] = max(match, found.get(media, match))
    best, best_quality = "", 0.0
    for media in FORMATS:
        quality = found[media][1] if media in found else 0.0
        if quality > best_quality:
            best, best_quality = media, quality
    return best


def _match(media: str, media_range: str, parameters: list[str]) -> tuple[int, float]:
    """Return how closely a range names a format, -1 when it does not, and its quality.

    A parameter that the format states must be equal; others, such as a profile, are ignored.
    """
    stated = FORMAT_PARAMETERS[media] if media_range == media else {}
    specificity = 2 if media_range == media else int(media_range != "*/*")
    for parameter in parameters:
        name, text = _pair(parameter)
        if name == "q":
            return specificity, _quality(text)
        if name in stated:
            if stated[name] != text.strip('"'):
                return -1, 0.0
            specificity += 1
    return specificity, 1.0


def _coding(accept_encoding: str) -> str:
    """Return the content coding to apply, `""` for none (12.5.3).

    The highest quality wins, zstd before gzip before none. `*` stands for gzip and none, not for
    zstd, which a caller must name. None is always acceptable, `identity;q=0` or not.
    """
    sent: dict[str, float] = {}
    for name, parameters in _items(accept_encoding):
        if coding := _CODING_NAMES.get(name):
            key, text = _pair(parameters[0]) if parameters else ("", "")
            sent[coding] = _quality(text) if key == "q" else 1.0
    any_other = sent.get("*", 0.0)
    best, best_quality = ZSTD, sent.get(ZSTD, 0.0)
    for coding in (GZIP, _IDENTITY):
        quality = sent.get(coding, any_other)
        if quality > best_quality:
            best, best_quality = coding, quality
    return best if best_quality > 0 and best != _IDENTITY else ""


def _items(header: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the names and the parameters, still as text, of a list."""
    for item in header[:_MAX_HEADER].lower().split(",", _MAX_ITEMS)[:_MAX_ITEMS]:
        name, *parameters = item.split(";", _MAX_ITEMS)
        yield name.strip(), parameters


def _pair(parameter: str) -> tuple[str, str]:
    name, _, text = parameter.partition("=")
    return name.strip(), text.strip()


def _quality(text: str) -> float:
    """Return a quality; what is none counts as 0."""
    return float(text) if _QUALITY.fullmatch(text) else 0.0
