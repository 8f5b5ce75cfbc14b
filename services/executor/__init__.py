"""Trades signals by option orders."""
