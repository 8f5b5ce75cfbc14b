"""Positions, exits, charges and performance: pure."""
