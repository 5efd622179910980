"""Take an example through the whole pipeline but the server: project in, bodies out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from offloader.catalog.compatibility import check_schema
from offloader.catalog.documents import load_catalog
from offloader.catalog.guards import check_guards
from offloader.catalog.manifest import Manifest, parse_manifest
from offloader.catalog.model import Catalog, Dataset
from offloader.errors import Problem
from offloader.query.encode import encode_json
from offloader.query.execute import run
from offloader.query.params import bind, parse_query
from offloader.query.plan import Plan, compile_plan
from offloader.segment.access_path import derive_paths
from offloader.segment.build import BuildReport, PartTargets, build_segment
from offloader.segment.facts import SnapshotFacts
from offloader.segment.read import open_segment
from offloader.sources.manifest_file import read_manifest, resolve_manifest
from tests.sources.opening import open_local

EXAMPLES = Path(__file__).parents[2] / "dev" / "examples"


@dataclass(frozen=True, slots=True)
class Example:
    """A built example; `problems` are what its guards and its schema check found."""

    catalog: Catalog
    manifest: Manifest
    plans: Mapping[str, Plan]
    problems: tuple[Problem, ...]

    def body(self, endpoint: str, query: str = "", tenant: str | None = None) -> str:
        """Return the JSON body of one request, stale as every example is."""
        plan = self.plans[endpoint]
        bound = bind(plan.signature, parse_query(query.encode()))
        return encode_json(plan, bound, run(plan, bound, tenant), stale=True).decode()


def open_example(root: Path, cache: Path, manifest_path: Path | None = None) -> Example:
    """Build the one dataset of the project `root` into `cache` and compile its endpoints.

    `manifest_path` stands in for the manifest that the project names.
    """
    catalog, _ = load_catalog(root)
    (dataset,) = catalog.datasets.values()
    path = manifest_path or resolve_manifest(root, dataset.manifest or "")
    manifest = parse_manifest(read_manifest(path), path.name)
    targets = PartTargets(
        cache / "columns",
        tuple(
            (spec, cache / f"path-{number}")
            for number, spec in enumerate(derive_paths(dataset, catalog.endpoints.values()))
        ),
    )
    report = _build(manifest, path, dataset, targets)
    parts = [part.read_bytes() for _, part in targets.paths]
    segment = open_segment(targets.columns.read_bytes(), parts)
    plans = {
        name: compile_plan(dataset, endpoint, segment)
        for name, endpoint in catalog.endpoints.items()
    }
    problems = (*check_schema(manifest, dataset), *_guard_problems(dataset, manifest, report))
    return Example(catalog, manifest, plans, problems)


def _build(manifest: Manifest, path: Path, dataset: Dataset, targets: PartTargets) -> BuildReport:
    snapshot = open_local(manifest, path, dataset, root=path.parent)
    facts = SnapshotFacts(
        dataset.id, manifest.snapshot_id, manifest.digest, manifest.watermark, manifest.created_at
    )
    return build_segment(
        snapshot.tables(),
        snapshot.columns,
        dataset.tenant_column,
        targets,
        facts,
        unique=dataset.guards.unique,
    )


def _guard_problems(dataset: Dataset, manifest: Manifest, report: BuildReport) -> list[Problem]:
    return check_guards(
        dataset.guards,
        row_count=report.row_count,
        previous_row_count=None,
        watermark=manifest.watermark,
        now=manifest.watermark,
        null_counts=report.null_counts,
        duplicate_keys=report.duplicate_keys,
    )
