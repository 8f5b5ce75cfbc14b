"""Strategies and their host, without I/O."""
