"""What is told of refusals is how the service refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from offloader.query.codes import REQUEST_CODES
from offloader.service.apidocs.envelope import error_schema
from offloader.service.apidocs.refusals import refusals
from tests.apidocs.documented import Documented
from tests.docs.raised_codes import raised_codes


def test_every_told_code_is_raised() -> None:
    """And every code of a param is told, with the status that it has."""
    told = {one.status: set(one.codes) for one in refusals(is_authed=True)}
    assert set().union(*told.values()) - REQUEST_CODES.keys() - raised_codes().keys() == set()
    assert told[414] | told[422] == REQUEST_CODES.keys()


def test_examples_are_of_the_form_of_errors() -> None:
    """A public API tells of no key."""
    validator = Draft202012Validator(error_schema())
    for one in refusals(is_authed=True):
        validator.validate(one.example)
    assert {o.status for o in refusals(is_authed=True)} - {
        o.status for o in refusals(is_authed=False)
    } == {401}


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        ("/v1/endpoints/nothing", {}, 404),
        ("/v1/endpoints/rows?limit=900", {}, 422),
        ("/v1/endpoints/rows", {"accept": "image/png"}, 406),
        ("/v1/endpoints/rows", {"Authorization": "Bearer nobody"}, 401),
        (f"/v1/endpoints/rows?account={'a' * 8200}", {}, 414),
    ],
)
def test_real_refusals_are_as_told(
    documented: Documented, target: str, headers: dict[str, Any], status: int
) -> None:
    """Status, family and code are those of the table, and the body is valid."""
    reply = documented.ask(target, **headers)
    assert reply.status == status
    document = json.loads(reply.body)
    Draft202012Validator(error_schema()).validate(document)
    (told,) = (one for one in refusals(is_authed=True) if one.status == status)
    assert document["error"]["family"] in told.families
    assert document["error"]["code"] in told.codes
