"""The builder: one snapshot into the parts of a segment, in a process of its own."""
