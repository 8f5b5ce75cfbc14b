"""Candles of the past: from files, from the store, and what is unusual about them."""
