"""Checks between files: ids are unique, references lead somewhere, grants keep tenants apart."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from offloader.catalog.column_check import check_columns, check_tenant
from offloader.catalog.dataset import DatasetDraft
from offloader.catalog.endpoint import EndpointDraft
from offloader.catalog.endpoint_check import check_endpoint
from offloader.catalog.fields import Fields
from offloader.catalog.keys import KeyDraft
from offloader.catalog.types import Kind
from offloader.catalog.values import INT64_MAX, INT64_MIN

_CANONICAL_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")


# By id; None where two files share the id, so that no check is built on either.
Datasets = Mapping[str, DatasetDraft | None]


def check_datasets(datasets: Sequence[DatasetDraft]) -> Datasets:
    """Refuse an id that two files share; return the datasets by id."""
    _refuse_shared("id", [(draft.dataset.id, draft.fields) for draft in datasets])
    found: dict[str, DatasetDraft | None] = {}
    for draft in datasets:
        if draft.dataset.id:
            found[draft.dataset.id] = None if draft.dataset.id in found else draft
    return found


def check_endpoints(
    endpoints: Sequence[EndpointDraft],
    datasets: Datasets,
    *,
    is_every_dataset_read: bool,
) -> dict[str, EndpointDraft]:
    """Check each endpoint by itself and against its dataset; return them by name.

    An unknown dataset is no problem while a dataset file could not be read: it may be that one.
    """
    _refuse_shared("name", [(draft.name, draft.fields) for draft in endpoints])
    for draft in endpoints:
        check_endpoint(draft)
        dataset = datasets.get(draft.dataset)
        if dataset:
            check_columns(draft, dataset)
            check_tenant(draft, dataset)
        elif draft.dataset and draft.dataset not in datasets and is_every_dataset_read:
            message = f"{draft.dataset} is not the id of a dataset"
            hint = draft.fields.nearest(draft.dataset, tuple(datasets))
            draft.fields.problem("dataset", "unknown_dataset", message, hint)
    return {draft.name: draft for draft in reversed(endpoints) if draft.name}


def check_keys(
    keys: Iterable[KeyDraft],
    endpoints: Mapping[str, EndpointDraft],
    datasets: Datasets,
    *,
    is_every_endpoint_read: bool,
) -> None:
    """Refuse grants of unknown endpoints, and tenant-scoped ones to keys without a fit tenant."""
    for key in keys:
        for index, name in enumerate(key.endpoints):
            place = f"endpoints[{index}]"
            endpoint = endpoints.get(name)
            if endpoint:
                _check_grant(key, place, endpoint, datasets.get(endpoint.dataset))
            elif name and is_every_endpoint_read:
                message = f"{name} is not the name of an endpoint"
                hint = key.fields.nearest(name, tuple(endpoints))
                key.fields.problem(place, "unknown_endpoint", message, hint)


def tenant_scoped(endpoints: Mapping[str, EndpointDraft], datasets: Datasets) -> list[str]:
    """Return the names of the endpoints that only a key with a tenant may call, sorted."""
    return sorted(
        name
        for name, draft in endpoints.items()
        if _tenant_column(draft, datasets.get(draft.dataset))
    )


def _tenant_column(endpoint: EndpointDraft, dataset: DatasetDraft | None) -> str | None:
    return dataset.dataset.tenant_column if dataset else endpoint.tenant_column


def _check_grant(
    key: KeyDraft, place: str, endpoint: EndpointDraft, dataset: DatasetDraft | None
) -> None:
    column = _tenant_column(endpoint, dataset)
    if not column:
        return
    is_tenantless = key.fields.value("tenant") is None
    if is_tenantless:
        message = f"{endpoint.name} is tenant-scoped, and this key has no tenant"
        hint = "set tenant on the key, or drop the grant"
        key.fields.problem(place, "grant_without_tenant", message, hint)
    column_type = dataset.types.get(column) if dataset and dataset.types else None
    is_number = column_type is not None and column_type.kind is not Kind.VARCHAR
    if is_number and key.key.tenant and not _is_integer(key.key.tenant):
        message = f"{column} is {column_type}, and this key's tenant is not a whole number"
        hint = 'write the tenant as digits in quotes, such as "42"'
        key.fields.problem(place, "grant_tenant_type", message, hint)


def _is_integer(text: str) -> bool:
    return bool(_CANONICAL_INTEGER.fullmatch(text)) and INT64_MIN <= int(text) <= INT64_MAX


def _refuse_shared(name: str, ids: Sequence[tuple[str, Fields]]) -> None:
    first: dict[str, str] = {}
    for shared_id, fields in ids:
        if shared_id in first:
            message = f"{shared_id} is already the {name} of {first[shared_id]}"
            fields.problem(name, "duplicate_id", message, "choose another, or drop one file")
        elif shared_id:
            first[shared_id] = fields.file
