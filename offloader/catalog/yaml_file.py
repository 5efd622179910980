"""Read one YAML file into plain JSON values, with nothing left to interpretation.

Only the core of YAML: mappings, lists and scalars. Plain `null ~`, `true false` and JSON numbers
have a type; every other scalar is text, so dates, `yes`, `0x10` and `1_000` are never guessed at.
Keys are always text. Tags, merge keys, repeated keys and several documents are refused. The
parser's events are read one by one without recursion, and an alias costs as many nodes as what it
stands for, so that neither nesting nor aliases can blow up memory.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from offloader.catalog.text_rules import shown_key
from offloader.catalog.values import is_text

MAX_FILE_BYTES = 2**20
MAX_NODES = 100_000
MAX_DEPTH = 32

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
_MAX_NUMBER_LENGTH = 40
_TEXT_PER_NODE = 64  # a long text costs as much as several values, also through an alias
_NO_KEY = object()


class YamlError(Exception):
    """One thing wrong in the file: where it stands in the document, code, message and hint."""

    def __init__(self, path: str, code: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.path = path
        self.code = code
        self.message = message
        self.hint = hint


@dataclass(slots=True)
class _Open:
    """A mapping or list that is not closed yet, and the key its next value belongs to."""

    value: dict[str, object] | list[object]
    path: str
    anchor: str | None
    nodes_before: int
    key: object = _NO_KEY

    def next_path(self) -> str:
        if isinstance(self.value, list):
            return f"{self.path}[{len(self.value)}]"
        if self.key is _NO_KEY:
            return self.path
        name = shown_key(self.key)
        return f"{self.path}.{name}" if self.path else name


@dataclass(slots=True)
class _Document:
    """What has been built so far: the open containers, the anchors and the node budget."""

    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, tuple[object, int]] = field(default_factory=dict)
    faults: list[YamlError] = field(default_factory=list)
    nodes: int = 0
    starts: int = 0
    root: object = None

    def count(self, nodes: int) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            hint = "split the file; an alias counts as much as what it stands for"
            message = f"the file holds more than {MAX_NODES} values"
            raise YamlError("", "yaml_too_large", message, hint)

    def path(self) -> str:
        return self.stack[-1].next_path() if self.stack else ""

    def fault(self, path: str, code: str, message: str, hint: str) -> None:
        self.faults.append(YamlError(path, code, message, hint))

    def put(self, value: object) -> None:
        """Place a finished value into the innermost open container."""
        if not self.stack:
            self.root = value
            return
        top = self.stack[-1]
        if isinstance(top.value, list):
            top.value.append(value)
        elif top.key is _NO_KEY:
            top.key = self._as_key(top, value)
        else:
            top.value[str(top.key)] = value
            top.key = _NO_KEY

    def _as_key(self, top: _Open, value: object) -> str:
        if not isinstance(value, str):
            self.fault(top.path, "yaml_key", "a key is a list or mapping", "write a text as key")
            return "?"
        if value in top.value:
            top.key = value
            message = f"the key {shown_key(value)} stands twice in one mapping"
            self.fault(top.next_path(), "yaml_duplicate_key", message, "drop one of the two")
        return value


def parse_yaml(raw: bytes) -> tuple[object, list[YamlError]]:
    """Parse one file; return its value and what is wrong with it (then the value is partial).

    Raises YamlError when the file cannot be read on: bad bytes, syntax, depth or size.
    """
    text = _decode(raw)
    document = _Document()
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            _take(document, event)
    except yaml.YAMLError as error:
        raise _syntax_error(error, text) from None
    if document.root is None:
        raise YamlError("", "yaml_empty", "the file is empty", "write its fields, or remove it")
    return document.root, document.faults


def _decode(raw: bytes) -> str:
    if len(raw) > MAX_FILE_BYTES:
        message = f"the file is larger than {MAX_FILE_BYTES} bytes"
        raise YamlError("", "file_too_large", message, "split it")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"the file is not UTF-8 at byte {error.start}"
        raise YamlError("", "yaml_not_utf8", message, "save it as UTF-8") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        message = f"line {line} holds a NUL character"
        raise YamlError("", "yaml_nul", message, "save it as UTF-8 text and remove the NUL")
    return text


def _take(document: _Document, event: yaml.Event) -> None:
    if isinstance(event, yaml.ScalarEvent):
        nodes = 1 + len(event.value) // _TEXT_PER_NODE
        document.count(nodes)
        _check_tag(document, event)
        value = _scalar(document, event)
        _name(document, event.anchor, value, nodes)
        document.put(value)
    elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
        _open(document, event)
    elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
        closed = document.stack.pop()
        _name(document, closed.anchor, closed.value, document.nodes - closed.nodes_before)
        document.put(closed.value)
    elif isinstance(event, yaml.AliasEvent):
        document.put(_alias(document, event.anchor))
    elif isinstance(event, yaml.DocumentStartEvent):
        document.starts += 1
        if document.starts > 1:
            message = "the file holds more than one YAML document"
            raise YamlError("", "yaml_many_documents", message, "split it at ---")


def _open(document: _Document, event: Any) -> None:
    if len(document.stack) >= MAX_DEPTH:
        message = f"values are nested deeper than {MAX_DEPTH} levels"
        raise YamlError("", "yaml_too_deep", message, "flatten the file")
    _check_tag(document, event)
    nodes_before = document.nodes
    document.count(1)
    value: dict[str, object] | list[object]
    value = {} if isinstance(event, yaml.MappingStartEvent) else []
    document.stack.append(_Open(value, document.path(), event.anchor, nodes_before))


def _check_tag(document: _Document, event: Any) -> None:
    if event.tag is not None and event.tag != "!":
        message = "the value has a YAML tag (!…)"
        document.fault(document.path(), "yaml_tag", message, "remove the tag")


def _name(document: _Document, anchor: str | None, value: object, nodes: int) -> None:
    if anchor is not None:
        document.anchors[anchor] = (value, nodes)


def _alias(document: _Document, anchor: str | None) -> object:
    if any(container.anchor == anchor for container in document.stack):
        message = "an alias (*…) stands inside the value it names"
        raise YamlError(document.path(), "yaml_alias", message, "write the value out")
    if anchor is None or anchor not in document.anchors:
        message = "an alias (*…) names no earlier anchor (&…)"
        raise YamlError(document.path(), "yaml_alias", message, "write the value out")
    value, nodes = document.anchors[anchor]
    document.count(nodes)
    return value


def _scalar(document: _Document, event: yaml.ScalarEvent) -> object:
    text: str = event.value
    is_key = bool(document.stack) and _awaits_key(document.stack[-1])
    if not is_text(text):
        message = "the text holds NUL or half of a surrogate pair"
        document.fault(document.path(), "text_invalid", message, "remove the escape")
        return "?"
    if is_key or not event.implicit[0]:
        return text
    if text in _WORDS:
        return _WORDS[text]
    return _number(document, text) if _NUMBER.fullmatch(text) else text


def _awaits_key(container: _Open) -> bool:
    return isinstance(container.value, dict) and container.key is _NO_KEY


def _number(document: _Document, text: str) -> object:
    number: int | float = math.inf
    if len(text) <= _MAX_NUMBER_LENGTH:
        number = int(text) if _INTEGER.fullmatch(text) else float(text)
    if math.isfinite(number):
        return number
    message = "the number is longer or larger than any field takes"
    document.fault(document.path(), "yaml_number", message, "shorten it, or quote a text")
    return 0


def _syntax_error(error: yaml.YAMLError, text: str) -> YamlError:
    mark = getattr(error, "problem_mark", None)
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML"
    line = "".join(text.split("\n")[mark.line : mark.line + 1]) if mark else ""
    is_tab = "\t" in line[: len(line) - len(line.lstrip())]
    hint = "indent with spaces, never tabs" if is_tab else "check indentation, colons and quotes"
    return YamlError("", "yaml_syntax", f"{place}{problem}", hint)
