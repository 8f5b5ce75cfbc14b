"""Strategies on history: signals, trades, measures and a report."""
