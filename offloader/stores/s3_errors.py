"""What botocore raises, as errors of stores: the one border where it is translated.

    answered, but no success   ClientError
    no credentials             NoCredentialsError; of a role whose service fails: another operation
    no answer                  ConnectionError, HTTPClientError (botocore), HTTPError (urllib3)
    nobody gives credentials   CredentialRetrievalError, MetadataRetrievalError, TokenRetrievalError
    not understood             ResponseParserError, KeyError, TypeError, ValueError
    cannot be asked at all     every other BotoCoreError: names and settings that do not fit

A cause is never kept (`from None`): its words may hold a signed URL or a token.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    MetadataRetrievalError,
    NoCredentialsError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as NoConnection
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from offloader.errors import SourceUnavailable
from offloader.stores.answers import WHAT, Call, asked_seconds, failure_for, garbled, reason_of
from offloader.stores.s3_client import no_credentials
from offloader.stores.store import (
    StoreDenied,
    bucket_missing,
    busy,
    changed,
    denied,
    exists,
    missing,
    unreachable,
)

_TOKEN_OPERATIONS = ("AssumeRole", "GetRoleCredentials", "CreateToken", "GetSessionToken")
_NO_ANSWER = (NoConnection, HTTPClientError, HTTPError, OSError)
_NO_TOKEN = (CredentialRetrievalError, MetadataRetrievalError, TokenRetrievalError)
_GARBLED = (ResponseParserError, KeyError, TypeError, ValueError)
_WRONG_REGION = {
    "PermanentRedirect",
    "TemporaryRedirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
}
_BUSY = {"RequestTimeout", "SlowDown", "ConditionalRequestConflict", "OperationAborted"}
_DENIED = {"ExpiredToken", "InvalidToken", "TokenRefreshRequired"}


@contextmanager
def translated(url: str, key: str, call: Call) -> Iterator[None]:
    """Raise what a call of botocore raises as an error of stores, without its words."""
    try:
        yield
    except SourceUnavailable:
        raise
    except ClientError as error:
        raise _answered(url, key, call, error) from None
    except NoCredentialsError:
        raise no_credentials() from None
    except _NO_TOKEN:
        reason = "no credentials could be had for it, what should give them does not"
        raise unreachable(url, reason) from None
    except _NO_ANSWER as error:
        raise unreachable(url, reason_of(error)) from None
    except BotoCoreError as error:
        raise _unfit(url, error) from None
    except _GARBLED:
        raise garbled(url) from None


def _answered(url: str, key: str, call: Call, error: Any) -> SourceUnavailable:
    code = str(error.response.get("Error", {}).get("Code", ""))
    meta = error.response.get("ResponseMetadata", {})
    status, headers = int(meta.get("HTTPStatusCode", 0)), meta.get("HTTPHeaders", {})
    if error.operation_name.startswith(_TOKEN_OPERATIONS) and status < 500:
        return denied(url, "get credentials for it")
    if code in _WRONG_REGION or status == 301:
        return _wrong_region(url)
    if status == 404:
        return _not_found(url, key, call, code)
    if status == 412:
        return exists(url, key) if call == "write" else changed(url, key)
    if status == 416:
        return changed(url, key)
    if code in _DENIED:
        return denied(url, WHAT[call])
    if code in _BUSY:
        return busy(url, status, asked_seconds(headers))
    return failure_for(url, status, headers, WHAT[call])


def _not_found(url: str, key: str, call: Call, code: str) -> SourceUnavailable:
    """Return the error for a 404, which for a look-up has no body that says what is missing."""
    if call in ("list", "write") or code == "NoSuchBucket":
        return bucket_missing(url)
    return changed(url, key) if call == "read" else missing(url, key)


def _wrong_region(url: str) -> StoreDenied:
    hint = "set OFFLOADER_S3_REGION to the region of the bucket"
    return StoreDenied("wrong_region", f"{url} is in another region", hint)


def _unfit(url: str, error: BotoCoreError) -> StoreDenied:
    message = f"{url} cannot be asked: {type(error).__name__}"
    hint = "check the bucket's name, OFFLOADER_S3_* and the AWS_* variables and files"
    return StoreDenied("store_misconfigured", message, hint)
