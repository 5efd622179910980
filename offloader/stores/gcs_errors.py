"""What Google's libraries raise, as errors of stores: the one border where it is translated.

    answered, but no success   GoogleAPICallError, InvalidResponse
    no credentials, or refused GoogleAuthError
    no answer                  RequestException, HTTPError (urllib3), OSError
    not understood             DataCorruption, GoogleAPIError, ValueError, LookupError,
                               TypeError, AttributeError

A cause is never kept (`from None`): its words may hold a signed URL or a token.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from google.api_core.exceptions import GoogleAPICallError, GoogleAPIError
from google.auth.exceptions import GoogleAuthError, TransportError
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
from requests.exceptions import JSONDecodeError, RequestException, TooManyRedirects
from urllib3.exceptions import HTTPError

from offloader.errors import SourceUnavailable
from offloader.stores.answers import WHAT, Call, failure_for, garbled, reason_of, refused
from offloader.stores.store import (
    bucket_missing,
    changed,
    denied,
    exists,
    missing,
    unreachable,
)

_GARBLED = (JSONDecodeError, DataCorruption, GoogleAPIError, LookupError, TypeError, AttributeError)
_NO_BUCKET = "bucket does not exist"


@contextmanager
def translated(url: str, key: str, call: Call) -> Iterator[None]:
    """Raise what a call of Google's libraries raises as an error of stores, without its words."""
    try:
        yield
    except SourceUnavailable:
        raise
    except GoogleAPICallError as error:
        headers = getattr(error.response, "headers", {})
        raise for_status(url, key, call, int(error.code or 0), headers, str(error)) from None
    except InvalidResponse as error:
        response = error.response
        raise for_status(url, key, call, response.status_code, response.headers) from None
    except GoogleAuthError as error:
        raise _of_credentials(url, error) from None
    except TooManyRedirects:  # the session follows none
        raise refused(url, 302) from None
    except _GARBLED:
        raise garbled(url) from None
    except (RequestException, HTTPError, OSError) as error:
        raise unreachable(url, reason_of(error)) from None
    except ValueError:
        raise garbled(url) from None


def for_status(
    url: str, key: str, call: Call, status: int, headers: Mapping[str, str], message: str = ""
) -> SourceUnavailable:
    """Return the error for an answer's status; `message` is looked into, never told."""
    if status == 404 and call == "read":
        return changed(url, key)
    if status == 404 and (call != "stat" or _NO_BUCKET in message):
        return bucket_missing(url)
    if status == 404:
        return missing(url, key)
    if status == 412:
        return exists(url, key) if call == "write" else changed(url, key)
    return failure_for(url, status, headers, WHAT[call])


def _of_credentials(url: str, error: Any) -> SourceUnavailable:
    if isinstance(error, TransportError) or error.retryable:
        return unreachable(url, "no token could be had for it, the token service does not answer")
    return denied(url, "get a token for it")
