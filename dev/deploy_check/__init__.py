"""Start an instance of the bundled example, from the image or as a process, and check it."""
