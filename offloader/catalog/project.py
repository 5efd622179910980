"""offloader.yml: what the project is made of and who may call it."""

from __future__ import annotations

from dataclasses import dataclass

from offloader.catalog.fields import Fields
from offloader.catalog.problems import Problems
from offloader.catalog.text_rules import MAX_PATH_LENGTH, path_fault

PROJECT_FILE = "offloader.yml"
PROJECT_FIELDS = ("version", "datasets_dir", "endpoints_dir", "keys", "auth", "object_store_mode")
AUTH_MODES = ("required", "none")
SUPPORTED_VERSION = 1
MAX_LABEL_LENGTH = 256


@dataclass(frozen=True, slots=True)
class Project:
    """The parsed offloader.yml; folders and `keys_file` are relative to the project's root.

    `is_keys_written` tells whether `keys` is there at all, also when its path was refused;
    it is true when the file is no mapping, so that nothing is said of what cannot be known.
    """

    datasets_dir: str = "datasets"
    endpoints_dir: str = "endpoints"
    keys_file: str | None = None
    is_keys_written: bool = False
    auth_required: bool = True
    object_store_mode: str = ""


def read_project(document: object, problems: Problems) -> Project:
    """Read offloader.yml; a refused field keeps its default."""
    fields = Fields(document, PROJECT_FIELDS, PROJECT_FILE, "", problems)
    _check_version(fields)
    return Project(
        datasets_dir=_path(fields, "datasets_dir") or "datasets",
        endpoints_dir=_path(fields, "endpoints_dir") or "endpoints",
        keys_file=_path(fields, "keys") or None,
        is_keys_written=fields.has("keys") or not fields.is_mapping,
        auth_required=fields.choice("auth", AUTH_MODES) != "none",
        object_store_mode=fields.text("object_store_mode", empty=True, max_length=MAX_LABEL_LENGTH),
    )


def check_access(project: Project, tenant_scoped: list[str], problems: Problems) -> None:
    """Refuse access rules that contradict each other: auth, the keys file, tenant scopes."""
    if project.auth_required and not project.is_keys_written:
        hint = "name the keys file in keys, or set auth: none for a public API"
        problems.add(PROJECT_FILE, "keys", "keys_missing", "auth is required without keys", hint)
    if project.auth_required:
        return
    if project.is_keys_written:
        message = "keys are named, yet auth: none lets everyone in"
        hint = "remove keys, or set auth: required"
        problems.add(PROJECT_FILE, "keys", "keys_unused", message, hint)
    if tenant_scoped:
        message = f"auth: none would open tenant-scoped endpoints: {', '.join(tenant_scoped[:5])}"
        hint = "set auth: required, or serve datasets without a tenant_column"
        problems.add(PROJECT_FILE, "auth", "auth_none_with_tenant", message, hint)


def _check_version(fields: Fields) -> None:
    if not fields.has("version"):
        fields.whole("version", 1, 1, required=True)
        return
    value = fields.value("version")
    if isinstance(value, bool) or value != SUPPORTED_VERSION or not isinstance(value, int):
        message = "this version of the project format is not known"
        fields.problem("version", "version_unsupported", message, "write version: 1")


def _path(fields: Fields, name: str) -> str:
    path = fields.text(name, max_length=MAX_PATH_LENGTH)
    fault = path_fault(path)
    if fault:
        fields.problem(name, *fault)
        return ""
    return path
