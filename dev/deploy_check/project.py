"""The bundled example with data that is fresh today, in a folder of its own, and its secrets."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from secrets import token_urlsafe

EXAMPLE = Path(__file__).parents[1] / "examples" / "customer-analytics"
ENDPOINT = "customer_usage_summary"
QUERY = "account_id=acct_zephyr&columns=account_id,api_calls_total"
DEMO_KEY = "demo-acme"
ROWS = 20_000
FIRST_WATERMARK = date(2026, 6, 1)
# An instance that is checked around midnight must be fresh before and after it.
_LEEWAY = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Project:
    """A project on disk whose manifest is not published yet, and the files of both secrets."""

    root: Path
    admin_token: Path
    key: Path
    snapshot_id: str

    def publish(self) -> None:
        """Let the instance find the snapshot."""
        held = self.root / "data" / "manifest.json.held"
        if held.exists():
            held.rename(held.with_name("manifest.json"))


def make_project(folder: Path, example: Path, now: datetime) -> Project:
    """Copy an example into an empty folder and make its data, with the watermark of today.

    Anybody may read what lies in the project: the user of a container is another one.
    """
    root = folder / "project"
    shutil.copytree(example, root, ignore=shutil.ignore_patterns("data", "__pycache__"))
    _look_often(root)
    generate = [sys.executable, str(EXAMPLE / "generate.py"), "--out", str(root / "data")]
    words = ["--rows", str(ROWS), "--revision", str(fresh_revision(now))]
    subprocess.run([*generate, *words], check=True, stdout=subprocess.DEVNULL)
    manifest = root / "data" / "manifest.json"
    snapshot_id = json.loads(manifest.read_text(encoding="utf-8"))["snapshot_id"]
    manifest.rename(manifest.with_name("manifest.json.held"))
    secrets = _write(folder / "admin-token", token_urlsafe(24)), _write(folder / "key", DEMO_KEY)
    for path in (root, *root.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return Project(root, *secrets, snapshot_id)


def fresh_revision(now: datetime) -> int:
    """Return the revision of the example's data whose watermark is the last midnight, UTC."""
    today = (now.astimezone(UTC) + _LEEWAY).date()
    return max(1, (today - FIRST_WATERMARK).days + 1)


def _look_often(root: Path) -> None:
    # The snapshot is published while the instance waits for it: every second of that is waited for.
    for path in root.glob("datasets/*.yml"):
        text = path.read_text(encoding="utf-8")
        path.write_text(
            text.replace("interval_seconds: 5", "interval_seconds: 1"), encoding="utf-8"
        )


def _write(path: Path, secret: str) -> Path:
    path.write_text(f"{secret}\n", encoding="utf-8")
    path.chmod(0o644)  # what keeps others out is the folder
    return path
