"""The bundled examples are valid, deterministic and as described."""
