"""Kite's REST interface as functions."""
