"""Frames into tick batches, without I/O."""
