"""Every code a request's parameters can be refused with; `docs/errors.md` lists the same."""

from __future__ import annotations

from collections.abc import Mapping

REQUEST_CODES: Mapping[str, str] = {
    "uri_too_long": "the query string is longer than 8 KiB",
    "too_many_params": "the query string holds more than 100 parameters",
    "bad_query_encoding": "the query string is not percent-encoded UTF-8, or holds a NUL",
    "empty_param_name": "a parameter has no name",
    "repeated_param": "a parameter is sent more than once",
    "unknown_param": "the endpoint has no such parameter",
    "missing_param": "a required parameter is not sent",
    "bad_combination": "the endpoint does not allow this set of parameters",
    "bad_type": "a value is not of its parameter's type",
    "out_of_range": "a value is below its parameter's minimum or above its maximum",
    "not_in_enum": "a value is not one of its parameter's values",
    "too_long": "a text is longer than its parameter allows",
    "bad_list": "a list is empty, too long, or holds an empty value",
    "unknown_column": "`columns` names one the endpoint does not serve",
    "repeated_column": "`columns` names one more than once",
    "bad_cursor": "`cursor` is none, of another request, or stands beside `offset`",
}
