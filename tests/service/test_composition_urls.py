"""What is kept of a manifest's URL: where it lies, but no signature."""

from __future__ import annotations

from offloader.service.composition import contracts_of, dataset_contract
from tests.service.composing import dataset, documents

SIGNED = "https://data.example/manifest.json?signature=5a17"


def test_no_query_of_a_manifest_is_kept() -> None:
    """Nor does another query make another contract: a signature is renewed all the time."""
    found = documents([dataset("orders", manifest=SIGNED), dataset("shops")])
    kept = contracts_of(found)["datasets"]
    assert kept["datasets/orders.yml"]["manifest"] == "https://data.example/manifest.json"
    assert kept["datasets/shops.yml"] == dataset("shops")
    renewed = documents([dataset("orders", manifest=SIGNED + "b2"), dataset("shops")])
    assert dataset_contract(found, "orders") == dataset_contract(renewed, "orders")


def test_a_query_of_a_bucket_is_part_of_a_name() -> None:
    """A key in a bucket may hold a question mark."""
    found = documents([dataset("orders", manifest="gs://bucket/a?b.json")])
    kept = contracts_of(found)["datasets"]["datasets/orders.yml"]
    assert kept["manifest"] == "gs://bucket/a?b.json"
