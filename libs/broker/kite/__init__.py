"""The adapter of the broker ports for Kite Connect v3."""
