"""Build the image and verify it in one step; without an engine, verify the process.

python -m dev.deploy_check [--process] [--image TAG] [--engine NAME] [--project DIR] [-- OPTION ...]
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from dev.deploy_check.container import container
from dev.deploy_check.engine import ENGINES, Engine, build, check_image, find_engine
from dev.deploy_check.gate import run_gate
from dev.deploy_check.instance import NOT_STOPPED, WRONG_IMAGE, Failed, Instance
from dev.deploy_check.process import process
from dev.deploy_check.project import EXAMPLE, Project, make_project

TAG = "offloader:deploy-check"
NO_ENGINE = "No container engine answers (docker, podman): the process is verified, not the image."


def main(argv: list[str] | None = None) -> int:
    """Verify the image or the process; return the exit code of the gate, or 70 to 73."""
    arguments = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, _end)
    try:
        with tempfile.TemporaryDirectory(prefix="offloader-deploy-check-") as folder:
            return _verify(arguments, Path(folder))
    except Failed as failed:
        _tell(f"FAIL  {failed}")
        return failed.exit_code


def _verify(arguments: argparse.Namespace, folder: Path) -> int:
    engine = None if arguments.process else find_engine(arguments.engine)
    if engine is None and arguments.image is not None:
        raise Failed(WRONG_IMAGE, f"no container engine answers to verify {arguments.image}")
    if engine is not None and arguments.image is None:
        build(engine, TAG)
    project = make_project(folder, arguments.project, datetime.now(UTC))
    if engine is not None:
        return _verify_image(engine, arguments.image or TAG, project, arguments.options)
    if not arguments.process:
        _tell(NO_ENGINE)
    with process(project, folder / "cache", os.environ) as started:
        return _verify_instance(started, project, arguments.options)


def _verify_image(engine: Engine, image: str, project: Project, options: list[str]) -> int:
    health_check = check_image(engine, image)
    _tell(f"ok    image config: {image}, by {engine.command}")
    with container(engine, image, project) as started:

        def check_health() -> None:
            if not started.is_healthy(health_check):
                raise Failed(WRONG_IMAGE, "the health check of the image fails while it serves")
            _tell("ok    image health_check: it passes inside the container")

        return _verify_instance(started, project, options, check_health)


def _verify_instance(
    instance: Instance,
    project: Project,
    options: list[str],
    check_health: Callable[[], None] | None = None,
) -> int:
    exit_code = run_gate(instance, project, options, _tell)
    if exit_code != 0:
        return exit_code
    if check_health is not None:
        check_health()
    stopped = instance.stop()
    if stopped != 0:
        raise Failed(NOT_STOPPED, f"it was told to stop, and its exit code was {stopped}, not 0")
    _tell("ok    stop: exit code 0 after SIGTERM")
    return 0


def _tell(line: str) -> None:
    print(line, flush=True)


def _end(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)  # through every block that removes something


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="deploy_check", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--process", action="store_true", help="verify the process, not the image")
    parser.add_argument("--image", help="verify this image instead of building one")
    parser.add_argument("--engine", type=lambda name: (name,), default=ENGINES)
    parser.add_argument("--project", type=Path, default=EXAMPLE, help="another form of the example")
    parser.add_argument("options", nargs="*", help="after --: options for deploy-check.sh")
    return parser


if __name__ == "__main__":
    sys.exit(main())
