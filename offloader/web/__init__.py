"""HTTP: the only importer of sanic."""
