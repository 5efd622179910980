"""Which of our JSON texts are made by which writer, and why.

    cells of text                     the json module's C quoting: several times ujson's speed
    numbers, dates, decimals, JSON    our own: exact digits, which no writer of documents keeps
    `meta`                            pieces made ahead with the json module
    refusals, admin answers           ujson may write them: texts and integers give the same bytes
                                      in half the time

What is common to all of them is stated here, so that a writer can be exchanged for another.
"""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

import pytest
import ujson
from hypothesis import given
from hypothesis import strategies as st

from offloader.errors import RequestError
from offloader.service.worker.refusals import error_body
from tests.query.serving import serve

_texts = st.text(st.characters(), max_size=20)
_scalars = st.none() | st.booleans() | st.integers() | _texts
_documents = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4),
    max_leaves=12,
)


def written_with_json(document: Any) -> str:
    """Write compactly with the standard library."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def written_with_ujson(document: Any) -> str:
    """Write with ujson so that non-ASCII and slashes stay as they are."""
    return ujson.dumps(document, ensure_ascii=False, escape_forward_slashes=False)


@given(_documents)
def test_documents_are_the_same_text(document: Any) -> None:
    """Texts, integers of any size and nesting: ujson writes what json writes."""
    assert written_with_ujson(document) == written_with_json(document)


@given(_documents)
def test_spaced_documents_are_the_same_text(document: Any) -> None:
    """The admin port's answers have a space behind commas and colons."""
    shown = ujson.dumps(
        document, ensure_ascii=False, escape_forward_slashes=False, separators=(", ", ": ")
    )
    assert shown == json.dumps(document, ensure_ascii=False)


def test_every_character_is_the_same_text() -> None:
    """Controls, quotes, slashes, separators, surrogates: all of Unicode, one by one."""
    characters = list(map(chr, range(sys.maxunicode + 1)))
    wanted = [encode_basestring(character) for character in characters]
    assert [written_with_json(character) for character in characters] == wanted
    assert [written_with_ujson(character) for character in characters] == wanted


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 2**64, 10**40, -(10**40)])
def test_big_integers_keep_every_digit(number: int) -> None:
    """Also beyond 64 bits."""
    assert written_with_ujson([number]) == f"[{number}]"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_doubles_read_back_the_same(number: float) -> None:
    """The value survives both writers; the text of a small one differs between them."""
    assert repr(json.loads(written_with_ujson(number))) == repr(number)
    assert written_with_json(number) == repr(number)


def test_ujson_must_not_be_given_doubles_of_a_body() -> None:
    """A body's bytes are a contract: its doubles are written as Python does."""
    assert (written_with_ujson(1e-5), written_with_json(1e-5)) == ("1e-5", "1e-05")
    assert serve("v DOUBLE", [(1e-5,)]).data() == '[{"v":1e-05}]'


def test_ujson_must_not_be_given_decimals() -> None:
    """It drops digits where json refuses: no decimal may reach a writer of documents."""
    assert written_with_ujson(Decimal("1.10")) == "1.1"
    with pytest.raises(TypeError):
        written_with_json(Decimal("1.10"))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_no_number_is_no_json(number: float) -> None:
    """Both writers write what JSON has no word for; cells are null instead."""
    with pytest.raises(ValueError, match="not valid"):
        json.loads(written_with_ujson(number), parse_constant=_refuse)
    assert serve("v DOUBLE", [(number,)]).data() == '[{"v":null}]'


@given(_texts.filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text)))
def test_a_cell_is_quoted_as_json_quotes(text: str) -> None:
    """Only quotes, backslashes and controls are escaped."""
    assert serve("v VARCHAR", [(text,)]).data() == f'[{{"v":{written_with_json(text)}}}]'


@pytest.mark.parametrize("param", [None, "limit"])
def test_a_refusal_is_one_compact_document(param: str | None) -> None:
    """Field order and bytes do not depend on the writer."""
    error = RequestError(422, "invalid_param", "bad_type", 'é "a/b"', param=param)
    what = {"family": "invalid_param", "code": "bad_type", "message": 'é "a/b"'}
    if param is not None:
        what["param"] = param
    document = {"error": what, "meta": {"request_id": "r1"}}
    assert error_body(error, "r1") == written_with_json(document).encode()
    assert error_body(error, "r1") == written_with_ujson(document).encode()


def _refuse(text: str) -> None:
    raise ValueError(f"{text} is not valid")
