"""Contracts: parse, validate and compare them. Pure: nothing here reads a file, but yaml_file and documents."""
