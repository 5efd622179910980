"""Choose: which snapshot a dataset is to serve, and which one instead when that cannot be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from offloader.errors import SnapshotError, SnapshotRefused, SourceUnavailable
from offloader.service.reloader.attempts import Judged
from offloader.service.reloader.choose import choose
from offloader.service.state import Attempt, DatasetState
from tests.projects import write_yaml
from tests.service.desk import Desk
from tests.service.looking import lookout_of
from tests.service.reloading import COLUMNS, dataset_document

WIDE = [{"name": n, "type": t} for n, t in (*COLUMNS, ("plan", "VARCHAR"))]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """`s2` is served, `s1` was before it, the source has `s3`."""
    return Desk(tmp_path)


def chosen(desk: Desk, **changes: Any) -> str:
    """Return the id of the snapshot that is chosen, or why there is none."""
    found = choose(replace(desk.task(), **changes), lookout_of(desk.story.cache))
    if isinstance(found, str):
        return found
    assert found.copy == desk.story.cache.manifest("a", found.manifest.digest)
    return found.manifest.snapshot_id


def code(desk: Desk, **changes: Any) -> str:
    with pytest.raises(SnapshotError) as error:
        choose(replace(desk.task(), **changes), lookout_of(desk.story.cache))
    return error.value.code


def forget(desk: Desk, snapshot_id: str) -> None:
    """Remove the kept manifest of a snapshot."""
    desk.story.cache.manifest("a", desk.digest(snapshot_id)).unlink()


def pin_elsewhere(desk: Desk, snapshot_id: str) -> None:
    """Pin by an operator who was not asked yet: the dataset is still on `s2`."""
    desk.known = replace(desk.known, pin=snapshot_id)


def test_the_source_names_what_is_served(desk: Desk) -> None:
    """A newer snapshot, or why nothing is to be done."""
    assert chosen(desk) == "s3"
    desk.known = DatasetState(desk.seen["s3"], desk.seen["s2"])
    assert chosen(desk) == "served"


def test_a_target_goes_before_the_source(desk: Desk) -> None:
    """An operator waits for it; its manifest must be kept."""
    assert chosen(desk, target=desk.seen["s1"], wish="rollback", is_asked=True) == "s1"
    forget(desk, "s1")
    assert code(desk, target=desk.seen["s1"], wish="pin", is_asked=True) == "manifest_not_kept"


def test_nobody_waits_for_a_rollback_that_was_decided_before(desk: Desk) -> None:
    """A newer snapshot makes it needless, unless that one cannot be served either."""
    wish = {"target": desk.seen["s1"], "wish": "rollback"}
    desk.known = replace(desk.known, rolled_back=(desk.seen["s2"],))
    assert chosen(desk, **wish) == "s3"
    failed = Attempt(code="builder_killed", manifest_digest=desk.digest("s3"))
    desk.known = replace(desk.known, attempt=failed)
    assert chosen(desk, **wish) == "s1"
    desk.known = replace(desk.known, attempt=Attempt())
    desk.quarantine("s3")
    assert chosen(desk, **wish) == "s1"
    desk.story.manifest("a").unlink()
    assert chosen(desk, **wish) == "s1"


def test_a_pin_goes_before_the_source(desk: Desk) -> None:
    """What is served already stays, what is kept or published comes."""
    desk.known = replace(desk.known, pin="s2")
    assert chosen(desk) == "pinned"
    pin_elsewhere(desk, "s1")
    assert chosen(desk) == "s1"
    forget(desk, "s1")
    assert code(desk) == "pinned_snapshot_missing"
    pin_elsewhere(desk, "s3")
    forget(desk, "s3")
    assert chosen(desk) == "s3"


def test_the_pin_of_the_config_goes_before_an_operators(desk: Desk) -> None:
    """It is the same on every replica."""
    desk.known = replace(desk.known, pin="s2")
    desk.pin_in_config("s1")
    assert chosen(desk) == "s1"


def test_a_pin_is_no_word_on_what_was_put_away(desk: Desk) -> None:
    """A config that pins what an operator found bad waits for that operator's word."""
    desk.pin_in_config("s1")
    desk.known = replace(desk.known, rolled_back=(desk.seen["s1"],), previous=None)
    assert chosen(desk) == "rolled_back"
    desk.quarantine("s1")
    assert chosen(desk) == "quarantined"
    desk.known = replace(desk.known, accepted=desk.digest("s1"))
    assert chosen(desk) == "s1"


def test_a_pinned_id_stands_for_what_was_served_under_it(desk: Desk) -> None:
    """The id came again with other content: that one is refused, and is kept all the same."""
    desk.pin_in_config("s1")
    for minute in range(5, 15):
        desk.story.publish("a", "s1", minutes=minute)
        assert chosen(desk) == "s1"
        found = choose(desk.task(), lookout_of(desk.story.cache))
        assert not isinstance(found, str)
        assert found.manifest.digest == desk.digest("s1")
    forget(desk, "s1")
    assert code(desk) == "snapshot_id_reused"


def test_a_refusal_names_the_snapshot(desk: Desk) -> None:
    """Of older data the status says which snapshot it was."""
    desk.known = DatasetState(desk.seen["s3"], desk.seen["s2"])
    desk.story.publish("a", "s4", minutes=1)
    with pytest.raises(Judged) as refused:
        choose(desk.task(), lookout_of(desk.story.cache))
    assert refused.value.code == "watermark_older"
    assert refused.value.manifest.snapshot_id == "s4"


@pytest.mark.parametrize(
    "how", ["missing", "invalid", "older", "put away", "failed", "other columns"]
)
def test_while_a_contract_waits_the_active_snapshot_is_brought_under_it(
    desk: Desk, how: str
) -> None:
    """When the source has no other that could be."""
    if how == "missing":
        desk.story.manifest("a").unlink()
    elif how == "invalid":
        desk.story.manifest("a").write_bytes(b"{")
    elif how == "older":
        desk.story.publish("a", "s4", minutes=0)
    elif how == "put away":
        desk.quarantine("s3")
    elif how == "failed":
        failed = Attempt(code="too_few_rows", is_final=True, manifest_digest=desk.digest("s3"))
        desk.known = replace(desk.known, attempt=failed)
    else:
        desk.story.publish("a", "s4", minutes=9, columns=COLUMNS[:1])
    assert chosen(desk, is_pending=True) == "s2"


def test_while_a_contract_waits_a_newer_snapshot_comes_under_it(desk: Desk) -> None:
    """That is one build, and not two."""
    assert chosen(desk, is_pending=True) == "s3"


def test_an_operator_has_the_newest_snapshot_tried_again(desk: Desk) -> None:
    """Also one that failed before, while a contract waits."""
    failed = Attempt(code="too_few_rows", is_final=True, manifest_digest=desk.digest("s3"))
    desk.known = replace(desk.known, attempt=failed)
    assert chosen(desk, is_pending=True, is_asked=True) == "s3"


def test_a_contract_that_no_snapshot_fits_is_told_of(desk: Desk) -> None:
    """As what the source gave, or else of what is served."""
    write_yaml(desk.story.root / "datasets" / "a.yml", dataset_document("a", schema=WIDE))
    assert chosen(desk, is_pending=True) == "s3"
    desk.story.manifest("a").unlink()
    assert code(desk, is_pending=True) == "manifest_missing"


def test_a_dataset_that_lost_its_parts_goes_on_with_what_it_had(desk: Desk) -> None:
    """Where the source has nothing that may be served: better that than nothing."""
    desk.known = DatasetState(previous=desk.seen["s1"], rolled_back=(desk.seen["s3"],))
    assert chosen(desk) == "s1"
    desk.story.manifest("a").write_bytes(b"{")
    assert chosen(desk) == "s1"
    desk.story.publish("a", "s4", minutes=9)
    assert chosen(desk) == "s4"


def test_a_dataset_that_lost_its_parts_waits_for_its_source(desk: Desk) -> None:
    """What it had must be read from there too."""
    desk.known = DatasetState(previous=desk.seen["s1"])
    desk.story.manifest("a").unlink()
    with pytest.raises(SourceUnavailable) as missing:
        choose(desk.task(), lookout_of(desk.story.cache))
    assert missing.value.code == "manifest_missing"


def test_what_was_put_away_is_not_what_a_dataset_had(desk: Desk) -> None:
    """It serves nothing until something better is published."""
    desk.known = DatasetState(previous=desk.seen["s1"], rolled_back=(desk.seen["s3"],))
    desk.quarantine("s1")
    assert chosen(desk) == "rolled_back"
    desk.story.manifest("a").write_bytes(b"{")
    with pytest.raises(SnapshotRefused):
        choose(desk.task(), lookout_of(desk.story.cache))
