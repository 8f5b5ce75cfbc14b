"""Signals into option orders."""
