"""Contracts: parse, validate and compare them. Only yaml_file and project_files read files."""
