"""Fills into positions, each watched until it is closed."""
