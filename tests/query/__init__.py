"""Tests of the query layer: params, plans, execution, encoding."""
