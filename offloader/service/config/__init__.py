"""The project from a bucket: fetched whole, kept as revisions, the last good one at hand."""
