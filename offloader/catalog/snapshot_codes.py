"""Every code a snapshot can be refused or put off with, and what it means.

Codes are stable and never reused. The reference in `docs/manifest.md` lists the same.
"""

from __future__ import annotations

from collections.abc import Mapping

MANIFEST_CODES: Mapping[str, str] = {
    "manifest_missing": "the manifest does not exist; tried again",
    "manifest_unreadable": "the manifest cannot be read, or is no regular file; tried again",
    "manifest_too_large": "the manifest is larger than 16 MiB",
    "manifest_invalid": "the manifest has the problems listed with it",
    "not_json": "it is not strict JSON: syntax, UTF-8, a repeated key, NaN, too deep",
    "missing_key": "a required field is not there",
    "unknown_key": "an entry of `files` has a field that is not known",
    "wrong_type": "a value has another JSON type than its field",
    "out_of_range": "a number is negative or above 2^53 - 1",
    "text_invalid": "a text is empty, longer than 256 characters or has control characters",
    "text_too_long": "a column's name is longer than 255 characters",
    "not_a_choice": "a value is not one of its field's words",
    "bad_identifier": "`dataset_id` is not `[a-z][a-z0-9_]*` of at most 63 characters",
    "bad_snapshot_id": "`snapshot_id` is not `[A-Za-z0-9:_.-]{1,200}`",
    "bad_timestamp": "a time is not ISO 8601 with a zone",
    "column_count": "`schema` has no column, or more than 4,096",
    "duplicate_column": "a column stands twice in `schema`",
    "bad_column_type": "a column's type is not a contract type",
    "unknown_column": "`partition_columns` or `sort_columns` names no column of `schema`",
    "duplicate_item": "a column stands twice in such a list",
    "too_many_files": "`files` has more than 100,000 entries",
    "duplicate_file": "a file is listed twice",
    "path_invalid": "a path is empty, too long, or has a backslash or control character",
    "path_absolute": "a path is absolute",
    "path_leaves_project": "a path has `..` in it",
    "url_unsupported": "a URL of another scheme, with a login, or where only paths can be read",
    "checksum_invalid": "a checksum is not hexadecimal or not of its length",
    "checksum_ambiguous": "a file has two checksums",
    "row_count_sum": "`row_count` is not the sum over `files`",
    "size_bytes_sum": "`size_bytes` is not the sum over `files`",
    "quality_failed": "the producer's own quality checks failed",
    "more_problems": "more than 100 problems were found; the rest are not shown",
}

COMPATIBILITY_CODES: Mapping[str, str] = {
    "dataset_differs": "the manifest is of another dataset",
    "column_dropped": "a column of the contract is not there",
    "column_renamed": "a column of the contract has another name now",
    "type_narrowed": "a column has a narrower type than the contract",
    "type_changed": "a column has a type unrelated to the contract's",
    "column_extra": "a column is not in the contract, under the policy `exact`",
}

DATA_FILE_CODES: Mapping[str, str] = {
    "file_missing": "a file does not exist",
    "file_not_regular": "a folder, pipe or device stands where a file is expected",
    "symlink_leaves_project": "a link leads out of the project",
    "file_size_differs": "a file has another size than the manifest says",
    "file_checksum_differs": "a file has another checksum than the manifest says",
    "file_row_count_differs": "a file has another number of rows than the manifest says",
    "file_column_missing": "a column of `schema` is not in a file",
    "file_column_undeclared": "a column of a file is not in `schema`",
    "file_column_duplicate": "a column stands twice in a file",
    "file_type_differs": "a column of a file cannot be read as its declared type without loss",
    "file_type_unsupported": "a column of a file has a type no contract has",
    "file_types_conflict": "two files have unrelated types for a column (making a manifest)",
    "file_unreadable": "a file is cut short, damaged or not of its format",
    "value_invalid": "a value is not of its column's type",
    "json_invalid": "a value of a JSON column is not JSON text",
    "text_not_utf8": "text is not UTF-8",
    "file_changed": "a file changed while it was read; tried again",
    "source_unreadable": "reading failed, such as permissions or a disk error; tried again",
}

GUARD_CODES: Mapping[str, str] = {
    "too_few_rows": "fewer rows than `min_rows`",
    "row_count_dropped": "more rows lost than `max_row_drop_percent`",
    "row_count_grew": "more rows gained than `max_row_growth_percent`",
    "too_old": "the watermark is older than `max_age_minutes`",
    "duplicate_keys": "rows repeat a key of `unique`",
    "null_values": "a column of `not_null` has nulls",
}

SNAPSHOT_CODES: Mapping[str, str] = {
    **MANIFEST_CODES,
    **COMPATIBILITY_CODES,
    **DATA_FILE_CODES,
    **GUARD_CODES,
}
