"""The support bundle: what somebody far away needs to see, and no secret."""
