"""Recorded option chains: read, valued, and played as the market."""
