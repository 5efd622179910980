"""The segment layer: format, build, access paths, reading."""
