"""Stores: objects in a folder, in a bucket or behind HTTPS, found, listed, read and written."""
