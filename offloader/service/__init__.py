"""Use cases in plain Python: answer a request, refresh a dataset, swap a generation."""
