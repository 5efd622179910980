"""Sources: read what a producer published and check it against its manifest."""
