"""A worker: attach generations, answer requests, tell status and metrics."""
