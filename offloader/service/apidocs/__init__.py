"""What callers are told of the API: documents made of a catalog alone. Pure."""
