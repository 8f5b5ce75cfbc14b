"""Frames into tick batches: pure."""
