"""Feeds into ticks on the bus."""
