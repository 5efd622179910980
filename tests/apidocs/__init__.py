"""What callers are told of the API is what it does."""
