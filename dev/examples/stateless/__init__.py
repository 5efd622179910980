"""Stateless replicas: config, data and built segments from a bucket, nothing mounted."""
