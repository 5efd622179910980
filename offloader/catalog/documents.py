"""A project as documents, and documents as a catalog.

Documents are plain JSON values, so they travel to other processes and have a digest:

    {"project": {…}, "datasets": {"datasets/usage.yml": {…}}, "endpoints": {"endpoints/x.yml": {…}},
     "keys": {…} | None, "keys_file": "keys/keys.yml" | None}

`parse_documents` is pure and needs no YAML: it is what every worker runs at each swap.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from offloader.catalog.contract import build_endpoint, digest_of
from offloader.catalog.crosscheck import check_datasets, check_endpoints, check_keys, tenant_scoped
from offloader.catalog.dataset import DatasetDraft, read_dataset
from offloader.catalog.endpoint import read_endpoint
from offloader.catalog.keys import KeyDraft, read_keys
from offloader.catalog.model import Catalog
from offloader.catalog.problems import Problems, described
from offloader.catalog.project import PROJECT_FILE, Project, check_access, read_project
from offloader.catalog.strict_json import shown
from offloader.errors import ConfigError

DOCUMENT_NAMES = ("project", "datasets", "endpoints", "keys", "keys_file")


def parse_documents(documents: Mapping[str, object]) -> Catalog:
    """Check documents and return the catalog; raise ConfigError with the problems of all files."""
    return _parse(documents, Problems(), frozenset())


def load_catalog(root: Path) -> tuple[Catalog, dict[str, object]]:
    """Read and check the project at `root`; return the catalog and its documents.

    Raises ConfigError with the problems of reading and of checking together: files that can be
    read are checked even when others cannot.
    """
    from offloader.catalog.project_files import read_project_files  # workers never import YAML

    problems = Problems()
    files = read_project_files(root, problems)
    if not files.documents:
        raise ConfigError(problems.found())
    return _parse(files.documents, problems, files.unread), files.documents


def _parse(documents: Mapping[str, object], problems: Problems, unread: Collection[str]) -> Catalog:
    """Read each document that is not in `unread`, check all together, build the catalog."""
    project = Project()
    if PROJECT_FILE not in unread:
        project = read_project(documents.get("project"), problems)
    dataset_files = _files(documents, "datasets", problems)
    endpoint_files = _files(documents, "endpoints", problems)
    read = [read_dataset(d, f, problems) for f, d in dataset_files.items() if f not in unread]
    drafts = [read_endpoint(d, f, problems) for f, d in endpoint_files.items() if f not in unread]
    keys = _keys(documents, project, problems, unread)

    datasets = check_datasets(read)
    is_dataset_unread = _is_any_unread(unread, dataset_files, project.datasets_dir)
    endpoints = check_endpoints(drafts, datasets, is_every_dataset_read=not is_dataset_unread)
    is_endpoint_unread = _is_any_unread(unread, endpoint_files, project.endpoints_dir)
    check_keys(keys, endpoints, datasets, is_every_endpoint_read=not is_endpoint_unread)
    if PROJECT_FILE not in unread:
        check_access(project, tenant_scoped(endpoints, datasets), problems)
    if not dataset_files and not is_dataset_unread:
        hint = f"add a file such as {project.datasets_dir}/usage.yml"
        problems.add(PROJECT_FILE, "datasets_dir", "no_datasets", "there is no dataset", hint)
    if problems:
        raise ConfigError(problems.found())
    return Catalog(
        auth_required=project.auth_required,
        datasets={draft.dataset.id: draft.dataset for draft in sorted(read, key=_dataset_id)},
        endpoints={name: build_endpoint(draft) for name, draft in sorted(endpoints.items())},
        keys=tuple(draft.key for draft in keys),
        object_store_mode=project.object_store_mode,
        revision=digest_of({name: documents.get(name) for name in DOCUMENT_NAMES}),
    )


def _files(documents: Mapping[str, object], name: str, problems: Problems) -> Mapping[str, object]:
    files = documents.get(name, {})
    if not isinstance(files, Mapping):
        message = f"expected a mapping of files, found {described(files)}"
        problems.add(name, "", "not_a_mapping", message, "map each file name to its document")
        return {}
    for file in files:
        if not isinstance(file, str) or not file.isprintable():
            message = f"{shown(str(file))} cannot be shown"
            hint = "rename it with letters, digits, _ and -"
            problems.add(name, "", "file_name_invalid", message, hint)
    return {str(file): document for file, document in sorted(files.items(), key=_file_name)}


def _dataset_id(draft: DatasetDraft) -> str:
    return draft.dataset.id


def _file_name(item: tuple[object, object]) -> str:
    return str(item[0])


def _keys(
    documents: Mapping[str, object], project: Project, problems: Problems, unread: Collection[str]
) -> tuple[KeyDraft, ...]:
    file = project.keys_file
    if file is None or file in unread:
        return ()
    return read_keys(documents.get("keys"), file, problems)


def _is_any_unread(unread: Collection[str], files: Collection[str], folder: str) -> bool:
    return any(name in unread for name in (*files, folder, PROJECT_FILE))
