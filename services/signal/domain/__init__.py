"""Validation and states of signals, without I/O."""
