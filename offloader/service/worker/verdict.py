"""The verdict: is it us, our environment, our config, or the data from upstream?

What is wrong, worst first, each with who has to act and the runbook that says what to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from offloader.service.blame import Of, blame_of
from offloader.service.cache import MIN_FREE_BYTES
from offloader.service.worker.generation import Generation
from offloader.service.worker.view import (
    View,
    attached_workers,
    beat_seconds,
    is_stale,
    pin_of,
    wanted_workers,
)
from offloader.shared.control import Word
from offloader.shared.slots import Head

RELOADER_SILENT_SECONDS = 10.0
START_SECONDS = 60.0
Severity = Literal["failing", "warning", "note"]
Item = dict[str, Any]
_SEVERITIES: tuple[Severity, ...] = ("failing", "warning", "note")
_WORDS = {
    "service": "Offloader itself",
    "environment": "The environment",
    "config": "The config",
    "upstream": "Upstream data",
}


def verdict(view: View, told: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Return area, summary and items; `told` is the board, `now` seconds since the epoch."""
    items = [*_instance_items(view, told), *_worker_items(view, now), *_config_items(told)]
    if view.generation is not None:
        for name in view.generation.catalog.datasets:
            items += _dataset_items(view.generation, name, told["datasets"].get(name, {}), now)
    items.sort(key=_rank)
    blamed = next((one for one in items if one["severity"] != "note"), None)
    summary = _summary(blamed, items)
    for item in items:
        del item["is_served"]
    return {"area": blamed["area"] if blamed else "none", "summary": summary, "items": items}


def without_words(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a verdict for whoever has no token: codes and runbooks, no message and no hint."""
    kept = ("area", "severity", "dataset", "code", "runbook")
    items = [{name: item[name] for name in kept} for item in found["items"]]
    return {**found, "items": items}


def _instance_items(view: View, told: Mapping[str, Any]) -> Iterator[Item]:
    if view.control[Word.IS_DRAINING]:
        yield _item("note", "draining", "the instance is stopping", "its callers go elsewhere")
    if view.generation is None:
        message = "this worker has not attached the served generation"
        hint = "it takes a moment at the start; else see attach_timeout in the log"
        yield _item("failing", "nothing_attached", message, hint)
    yield from _reloader_items(view)
    if told.get("is_state_saved") is False:
        hint = "see whether the cache volume is full or read-only; it is tried again"
        yield _item("failing", "state_not_saved", "pins and rollbacks would be lost now", hint)
    if 0 <= told.get("cache_free_bytes", MIN_FREE_BYTES) < MIN_FREE_BYTES:
        message = f"the cache volume has less than {MIN_FREE_BYTES >> 20} MiB left"
        yield _item("warning", "disk_low", message, "make it larger, or free room on it")
    store = told.get("segment_store")
    if store and not (store["ok"] and store["writable"]) and store["last_error"]:
        error = store["last_error"]
        message = f"the segment store: {error['message']}; every replica builds for itself"
        yield _item("warning", error["code"], message, error["hint"], of="snapshot")


def _worker_items(view: View, now: float) -> Iterator[Item]:
    control, attached, workers = view.control, attached_workers(view), view.slots.workers
    if attached == workers:
        return
    message = f"{attached} of {workers} workers are attached"
    is_young = now - control[Word.STARTED_AT_US] / 1e6 < START_SECONDS
    if is_young and not control[Word.WORKER_RESTARTS]:
        yield _item("note", "starting", message, "they come up one after the other")
        return
    severity: Severity = "failing" if attached < wanted_workers(view) else "warning"
    hint = "see process_died and process_wedged in the log; they are brought back by themselves"
    yield _item(severity, "workers_missing", message, hint)


def _reloader_items(view: View) -> Iterator[Item]:
    head = view.slots.reloader()
    silent_seconds = beat_seconds(head)
    if head[Head.PID] and silent_seconds > RELOADER_SILENT_SECONDS:
        message = f"the reloader has not moved for {silent_seconds:.0f} s: no new data comes in"
        hint = "it is brought back by itself; see process_wedged in the log"
        yield _item("failing", "reloader_silent", message, hint)


def _config_items(told: Mapping[str, Any]) -> Iterator[Item]:
    config = told.get("config") or {}
    error, problems = config.get("error"), config.get("problems") or []
    if error:
        yield _item("failing", error["code"], error["message"], error["hint"], of="config")
    if problems:
        first, more = problems[0], len(problems) - 1
        place = ": ".join(text for text in (first["file"], first["path"]) if text)
        message = f"{place}: {first['message']}" + (f" (and {more} more)" if more else "")
        yield _item("failing", first["code"], message, first["hint"], of="config")


def _dataset_items(
    generation: Generation, name: str, told: Mapping[str, Any], now: float
) -> Iterator[Item]:
    is_served, attempt = name in generation.snapshots, told.get("attempt") or {}
    is_failing = told.get("is_ok") is False and bool(attempt.get("code"))
    if is_failing:
        words = (attempt["code"], attempt["message"], attempt["hint"])
        yield _item("failing", *words, of="snapshot", dataset=name, is_served=is_served)
    elif not is_served:
        message = "its first snapshot is looked for or built"
        hint = "it takes as long as the data is large; build in /diagnostics says how far it is"
        yield _item("note", "starting", message, hint, dataset=name, is_served=False)
    yield from _freshness_items(generation, name, told, is_failing=is_failing, now=now)
    if generation.memory.get(name) == "page_cache":
        message = "its segment does not fit the memory: it is served from its file, slower"
        hint = "raise OFFLOADER_MEMORY_LIMIT and the container's memory, or publish less"
        yield _item("warning", "served_from_page_cache", message, hint, dataset=name)
    if told.get("is_contract_pending") and not told.get("is_building"):
        message = "its changed contract waits for a snapshot that fits it"
        hint = "publish one, or take the change back"
        yield _item("warning", "contract_pending", message, hint, dataset=name)
    if told.get("quarantined"):
        message = f"{told['quarantined']} damaged parts were put away and built again"
        hint = "look at the disk under the cache volume"
        yield _item("note", "part_quarantined", message, hint, dataset=name)


def _freshness_items(
    generation: Generation, name: str, told: Mapping[str, Any], *, is_failing: bool, now: float
) -> Iterator[Item]:
    pin, stale = pin_of(generation, name, told), is_stale(generation, name, now)
    if pin and stale:
        message = f"it is stale, for it stays on {pin['snapshot_id']} (by {pin['by']})"
        yield _item("warning", "pinned_and_stale", message, "unpin it", dataset=name)
    elif pin:
        message = f"it stays on {pin['snapshot_id']} (by {pin['by']})"
        yield _item("note", "pinned", message, "unpin it to follow the source again", dataset=name)
    elif stale and not is_failing:
        hint = "ask whoever runs the pipeline"
        if told.get("rolled_back") or told.get("quarantined_snapshots"):
            message = "it is stale, and newer snapshots were rolled back or quarantined"
            yield _item("warning", "newest_put_away", message, hint, dataset=name)
        else:
            message = "its source answers and has published nothing newer"
            yield _item("warning", "stale", message, hint, dataset=name)


def _item(
    severity: Severity,
    code: str,
    message: str,
    hint: str,
    *,
    of: Of = "verdict",
    dataset: str | None = None,
    is_served: bool = True,
) -> Item:
    blame = blame_of(code, of)
    return {
        "area": blame.area,
        "severity": severity,
        "dataset": dataset,
        "code": code,
        "message": message,
        "hint": hint,
        "runbook": blame.link,
        "is_served": is_served,
    }


def _rank(item: Item) -> tuple[int, bool, bool, str, str]:
    severity = _SEVERITIES.index(item["severity"])
    # First what concerns the whole instance, then what is not served at all.
    return (
        severity,
        item["dataset"] is not None,
        item["is_served"],
        item["dataset"] or "",
        item["code"],
    )


def _summary(blamed: Item | None, items: list[Item]) -> str:
    """Return one sentence of codes and names, which anybody may read."""
    if blamed is None:
        starting = sum(1 for item in items if item["code"] == "starting" and item["dataset"])
        if starting:
            return f"Starting: {_datasets(starting)} not served yet."
        return "Nothing is wrong: every dataset is served, and as fresh as it is to be."
    subject = f"dataset {blamed['dataset']}" if blamed["dataset"] else "this instance"
    served = "" if blamed["is_served"] else ", which serves nothing"
    others = sum(1 for item in items if item["severity"] != "note") - 1
    more = f"; {others} more below" if others else ""
    return f"{_WORDS[blamed['area']]}: {blamed['code']}, {subject}{served}{more}."


def _datasets(count: int) -> str:
    return "1 dataset is" if count == 1 else f"{count} datasets are"
