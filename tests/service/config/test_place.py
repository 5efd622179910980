"""Where a project in a bucket lies, and what it takes to read it."""

from __future__ import annotations

import pytest

from offloader.errors import ConfigError
from offloader.service.config.place import config_place, permissions_named, prefix_of
from offloader.stores.location import Location
from offloader.stores.store import bucket_missing, denied


@pytest.mark.parametrize("ending", ["", "/", "//", "/offloader.yml"])
def test_a_prefix_its_file_and_slashes_are_one_place(ending: str) -> None:
    """However it is written, it is the same project, and so the same cached revision."""
    assert config_place(f"gs://bucket/of/project{ending}") == Location("gs", "bucket", "of/project")
    assert config_place(f"s3://bucket{ending}") == Location("s3", "bucket", "")


def test_a_name_that_only_begins_alike_is_another_project() -> None:
    """`project` does not list what lies under `project-2`."""
    assert prefix_of(Location("gs", "bucket", "project")) == "project/"
    assert prefix_of(Location("gs", "bucket", "")) == ""


def test_a_path_is_a_folder() -> None:
    """It is nobody's place."""
    assert config_place("/etc/offloader") is None
    assert config_place("gs:/bucket") is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("https://host/project", "location_unsupported"),
        ("GS://bucket/project", "location_unsupported"),
        ("gs://", "url_invalid"),
        ("s3:///project", "url_invalid"),
        ("s3://user:word@bucket/project", "url_invalid"),
        ("gs://bucket/a\nb", "url_invalid"),
    ],
)
def test_anything_else_is_refused_with_the_variables_name(text: str, code: str) -> None:
    """And nothing of it is repeated, for it may hold a password."""
    with pytest.raises(ConfigError) as raised:
        config_place(text)
    (problem,) = raised.value.problems
    assert (problem.file, problem.path, problem.code) == ("environment", "OFFLOADER_CONFIG", code)
    assert "word" not in str(problem)


@pytest.mark.parametrize(
    ("place", "names"),
    [
        (Location("gs", "conf", "p"), ("storage.objects.list", "gs://conf", "OFFLOADER_GCS_AUTH")),
        (Location("s3", "conf", "p"), ("s3:ListBucket", "s3:GetObject", "conf")),
    ],
)
def test_a_denial_names_the_permissions(place: Location, names: tuple[str, ...]) -> None:
    """Who reads it can hand it to whoever gives them."""
    with pytest.raises(type(denied("x", "y"))) as raised, permissions_named(place):
        raise denied("gs://conf", "list")
    assert raised.value.code == "store_denied"
    assert all(name in raised.value.hint for name in names)


def test_a_missing_bucket_is_told_as_it_is() -> None:
    """No permission would help."""
    error = bucket_missing("gs://conf")
    with pytest.raises(type(error)) as raised, permissions_named(Location("gs", "conf", "p")):
        raise error
    assert raised.value is error
