"""Validates strategy signals and tracks the state of each."""
