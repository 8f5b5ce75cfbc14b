"""Dispatches events to handlers inside one process, by type and filter."""
