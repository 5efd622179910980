"""`offloader explain`: how one request to an endpoint is answered, and what would help."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from offloader.catalog.text_rules import nearest_hint
from offloader.cli.explain_text import explanation_document, explanation_lines
from offloader.cli.opened_project import PROJECT_HELP, access_of, open_project
from offloader.errors import ConfigError, OffloaderError, RequestError, SnapshotError
from offloader.settings.variables import VARIABLES

if TYPE_CHECKING:
    from offloader.catalog.manifest import Manifest
    from offloader.catalog.model import Endpoint
    from offloader.query.explain import Explanation
    from offloader.service.project import Project

_VARIABLE = next(variable for variable in VARIABLES if variable.name == "OFFLOADER_CACHE_DIR")


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    """Add the command's arguments."""
    parser = subparsers.add_parser(
        "explain",
        help="show how a request is answered: access path, rows and bytes read",
        description="Answer one request over the newest snapshot and show how: the access path,"
        " what is checked row by row, rows and bytes read, and what would help. The segment is"
        " taken from the cache when it is there, else it is built for this and thrown away. Exit 0"
        " when it was answered, 1 when the snapshot cannot be used, 2 when the call is wrong.",
    )
    parser.add_argument("endpoint", metavar="ENDPOINT")
    parser.add_argument(
        "pairs",
        metavar="PARAM=VALUE",
        nargs="*",
        type=_pair,
        help="what a caller sends, limit and columns too",
    )
    parser.add_argument("--tenant", help="the tenant of the key that calls")
    parser.add_argument(
        "--config",
        help=PROJECT_HELP,
    )
    parser.add_argument(
        "--cache-dir",
        type=Path,
        help=f"only read (default: OFFLOADER_CACHE_DIR, else {_VARIABLE.default_text})",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def run(args: Namespace, environ: Mapping[str, str] = os.environ) -> int:
    """Explain one request; return 0, 1 when its snapshot cannot be used, 2 when the call is wrong.

    The explanation goes to stdout, errors and progress to stderr; with `--json` one object goes to
    stdout, also for an error: `{"ok", "error": {"code", "message", "hint"}}`.
    """
    try:
        explanation = _explained(args, environ)
    except ConfigError as error:
        return _refuse_config(args, error)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 1
    except OffloaderError as error:
        told = {"code": error.code, "message": error.message, "hint": error.hint}
        if args.json:
            print(json.dumps({"ok": False, "error": told}))
        else:
            print(error, file=sys.stderr)
        is_callers = not isinstance(error, SnapshotError) and error.code != "segment_corrupt"
        return 2 if is_callers else 1
    if args.json:
        print(json.dumps({"ok": True, **explanation_document(explanation)}, ensure_ascii=False))
    else:
        for line in explanation_lines(explanation):
            print(line)
    return 0


def _explained(args: Namespace, environ: Mapping[str, str]) -> Explanation:
    location = args.config or environ.get("OFFLOADER_CONFIG") or "."
    project = open_project(location, environ)
    endpoints = project.catalog.endpoints
    endpoint = endpoints.get(args.endpoint)
    if endpoint is None:
        message = f"the project has no endpoint {args.endpoint}"
        raise OffloaderError("unknown_endpoint", message, nearest_hint(args.endpoint, [*endpoints]))
    if endpoint.serving_mode == "remote_scan":
        message = f"{endpoint.name} reads the snapshot's files at each request: it has no paths"
        raise OffloaderError("endpoint_is_remote", message, "see docs/object-stores.md")
    _check_tenant(endpoint, args.tenant)
    return _answered(args, environ, project, endpoint)


def _check_tenant(endpoint: Endpoint, tenant: str | None) -> None:
    if endpoint.tenant_column is not None and tenant is None:
        message = f"{endpoint.name} shows each tenant its own rows"
        raise OffloaderError("tenant_missing", message, "name one with --tenant")
    if endpoint.tenant_column is None and tenant is not None:
        message = f"{endpoint.name} has no tenants"
        raise OffloaderError("tenant_unused", message, "leave --tenant out")


def _answered(
    args: Namespace, environ: Mapping[str, str], project: Project, endpoint: Endpoint
) -> Explanation:
    """Open the dataset, answer the request and explain it."""
    # Imported late: other commands, and wrong calls, need none of it.
    from offloader.query.explain import explain
    from offloader.query.params import bind, parse_query
    from offloader.query.plan import compile_plan
    from offloader.segment.path_choice import choose_paths
    from offloader.service.cache import Cache
    from offloader.service.opened_dataset import open_dataset

    def tell(manifest: Manifest) -> None:
        text = f"building {manifest.snapshot_id} of {endpoint.dataset}: it is not in {root}"
        print(text, file=sys.stderr, flush=True)

    dataset = project.catalog.datasets[endpoint.dataset]
    root = args.cache_dir or Path(environ.get(_VARIABLE.name) or _VARIABLE.default_text)
    with tempfile.TemporaryDirectory(prefix="offloader-explain-") as scratch:
        opened = open_dataset(
            project,
            dataset,
            Cache(root),
            Path(scratch),
            access_of(environ),
            threads=len(os.sched_getaffinity(0)),
            on_build=tell,
        )
    plan = compile_plan(dataset, endpoint, opened.segment)
    try:
        bound = bind(plan.signature, parse_query(urlencode(args.pairs).encode()))
    except RequestError as error:
        raise OffloaderError(error.code, error.message, "see `params` of the endpoint") from error
    endpoints = project.catalog.endpoints_of(dataset.id)
    choices = choose_paths(dataset, endpoints, opened.manifest.row_count)
    return explain(plan, bound, args.tenant, choices, time.perf_counter)


def _refuse_config(args: Namespace, error: ConfigError) -> int:
    if args.json:
        problems = [problem.as_dict() for problem in error.problems]
        told = {"code": error.code, "message": error.message, "hint": "see `offloader validate`"}
        print(json.dumps({"ok": False, "error": told, "problems": problems}))
    else:
        for problem in error.problems:
            print(problem, file=sys.stderr)
    return 2


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not PARAM=VALUE")
    return name, value
