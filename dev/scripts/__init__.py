"""Scripts that other systems call: a release, a deployment."""
