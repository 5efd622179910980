"""Every code a project or an environment can be refused with, and what it means.

Codes are stable and never reused. The reference in `docs/config-reference.md` lists the same.
"""

from __future__ import annotations

from collections.abc import Mapping

from offloader.settings.codes import SETTINGS_CODES

FILE_CODES: Mapping[str, str] = {
    "project_missing": "the folder holds no offloader.yml",
    "file_missing": "a file or folder that the project names does not exist",
    "file_unreadable": "a file or folder cannot be read (permissions, a loop of links)",
    "file_not_regular": "a folder or special file stands where a YAML file is expected",
    "file_too_large": "a YAML file is larger than 1 MiB",
    "file_name_invalid": "a file's name holds characters that cannot be shown",
    "too_many_files": "a folder holds more than 1000 YAML files, or a project in a bucket 500",
    "too_many_objects": "more than 5000 objects lie under the prefix of a project in a bucket",
    "project_too_large": "the files of a project in a bucket are larger than 32 MiB together",
    "object_name_invalid": "an object's name could not be that of a file inside the project",
    "folder_missing": "datasets_dir or endpoints_dir is not a folder",
    "path_absolute": "a path is absolute; paths are relative to the project's root",
    "path_leaves_project": "a path or a link leads out of the project",
    "location_unsupported": "a project is not read from such a URL",
    "more_problems": "more than 1000 problems were found; the rest are not shown",
}

YAML_CODES: Mapping[str, str] = {
    "yaml_empty": "the file is empty",
    "yaml_not_utf8": "the file is not UTF-8 text",
    "yaml_nul": "the file holds a NUL character",
    "yaml_syntax": "the file is not YAML",
    "yaml_many_documents": "the file holds more than one YAML document",
    "yaml_duplicate_key": "a key stands twice in one mapping",
    "yaml_key": "a key is a list or a mapping",
    "yaml_tag": "a value has a YAML tag",
    "yaml_alias": "an alias names no earlier anchor, or the value it stands in",
    "yaml_number": "a number is longer or larger than any field takes",
    "yaml_too_deep": "values are nested deeper than 32 levels",
    "yaml_too_large": "the file, its aliases written out, holds more than 100,000 values",
}

FIELD_CODES: Mapping[str, str] = {
    "not_a_mapping": "something else stands where fields are expected",
    "unknown_key": "a field is not known here",
    "missing_key": "a required field is not written",
    "wrong_type": "a value is not of its field's type",
    "out_of_range": "a number is outside its field's range",
    "not_a_choice": "a value is not one of its field's choices",
    "bad_identifier": "an id, name or column is not [a-z][a-z0-9_]*, at most 63 characters",
    "bad_timestamp": "a time is not ISO 8601 with a zone",
    "text_empty": "a text is empty",
    "text_too_long": "a text is longer than its field allows",
    "text_invalid": "a text holds NUL, control characters or half of a surrogate pair",
    "list_empty": "a list is empty",
    "list_too_long": "a list holds more items than its field allows",
    "duplicate_item": "an item stands twice in one list",
}

PROJECT_CODES: Mapping[str, str] = {
    "version_unsupported": "version is not 1",
    "no_datasets": "the project has no dataset",
    "keys_missing": "auth is required and no keys file is named",
    "keys_unused": "a keys file is named although auth is none",
    "auth_none_with_tenant": "auth is none while an endpoint is tenant-scoped",
    "duplicate_id": "two files or keys share an id or name",
}

DATASET_CODES: Mapping[str, str] = {
    "duplicate_column": "a column stands twice in a schema",
    "bad_column_type": "a column's type is not a contract type",
    "unknown_column": "a name is not a column of the dataset",
    "tenant_type": "a tenant column is not VARCHAR, INTEGER or BIGINT",
    "origin_missing": "neither manifest nor source is set",
    "origin_twice": "both manifest and source are set",
    "refresh_with_source": "refresh is set beside source, which has its own interval",
    "url_scheme": "a URL is not gs://, s3:// or https://",
    "url_credentials": "a URL holds a user name or password",
    "url_invalid": "a URL lacks its host, its bucket or its path",
    "bad_bucket": "a source's bucket is not a bucket's name",
    "bad_snapshot_id": "a pin is not a snapshot id",
    "json_not_comparable": "a JSON column is filtered, grouped, ordered or guarded as unique",
}

ENDPOINT_CODES: Mapping[str, str] = {
    "unknown_dataset": "an endpoint's dataset does not exist",
    "tenant_missing": "the dataset is tenant-scoped and the endpoint has no tenant",
    "tenant_mismatch": "an endpoint's tenant column is not its dataset's",
    "tenant_unexpected": "an endpoint has a tenant and its dataset has no tenant column",
    "filter_on_tenant": "a filter lets callers choose the tenant",
    "duplicate_param": "a param is declared twice",
    "reserved_param": "a param has a name with a meaning of its own",
    "unknown_param": "a name is not a declared param",
    "param_unused": "no filter uses a param",
    "param_list_and_value": "a param is a list in one filter and a single value in another",
    "param_never_allowed": "no combination allows a param that has no default",
    "param_type_mismatch": "a param's type cannot be compared with the column's",
    "enum_not_allowed": "enum is set on a param that is neither an enum nor a string",
    "bounds_not_allowed": "min or max is set on a param whose type has no order",
    "max_length_not_allowed": "max_length is set on a param that is not a string",
    "bad_bound": "min or max is not a value of the param's type",
    "min_above_max": "min is above max",
    "bad_default": "a default is not a value that a caller could send",
    "default_on_required": "a required param has a default, which can never apply",
    "bad_alias": "an alias stands for a value that the param refuses",
    "alias_hides_value": "an alias is spelled as a value of enum",
    "combination_without_required": "a combination lacks a required param",
    "duplicate_alias": "two items of select share a name",
    "unknown_alias": "a name is not one that select gives",
    "agg_not_defined": "an aggregate is not defined on the column's type",
    "select_not_grouped": "a plain column is selected beside aggregates and not in group_by",
    "group_by_aggregate": "group_by names an aggregate",
    "duplicate_filter": "a filter stands twice",
    "op_not_defined": "an operator is not defined on the column's or the param's type",
    "default_limit_above_max": "default_limit is above max_limit",
}

KEY_CODES: Mapping[str, str] = {
    "bad_hash": "a hash is not 64 lower-case hex digits",
    "duplicate_hash": "two keys have the same hash",
    "unknown_endpoint": "a key is granted an endpoint that does not exist",
    "grant_without_tenant": "a key without a tenant is granted a tenant-scoped endpoint",
    "grant_tenant_type": "a key's tenant cannot be a value of the endpoint's tenant column",
}

CODES: Mapping[str, str] = {
    **SETTINGS_CODES,
    **FILE_CODES,
    **YAML_CODES,
    **FIELD_CODES,
    **PROJECT_CODES,
    **DATASET_CODES,
    **ENDPOINT_CODES,
    **KEY_CODES,
}
