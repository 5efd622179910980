"""The environment, as frozen settings."""
