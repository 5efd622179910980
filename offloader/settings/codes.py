"""Every code an environment can be refused or warned with, and what it means."""

from __future__ import annotations

from collections.abc import Mapping

SETTINGS_CODES: Mapping[str, str] = {
    "variable_missing": "a required variable is not set",
    "variable_invalid": "a variable's value is not one it takes",
    "secret_twice": "a secret is given both as a variable and as a file",
    "secret_file_unreadable": "the file of a secret cannot be read, or is no regular file",
    "secret_file_too_large": "the file of a secret is larger than 64 KiB",
    "secret_file_invalid": "the file of a secret is empty or not UTF-8 text",
    "port_clash": "the API and the admin port are the same on overlapping hosts",
    "token_missing": "OFFLOADER_GCS_AUTH is bearer and no token is set",
    "s3_key_incomplete": "of an S3 key's id and secret only one is set",
    "unknown_variable": "warning: an OFFLOADER_ variable is not known",
    "variable_unused": "warning: a variable has no effect beside another one",
    "memory_limit_above_machine": "warning: the memory limit is above the memory there is",
}
