"""Kite Connect v3: the real adapter of the broker's ports."""
