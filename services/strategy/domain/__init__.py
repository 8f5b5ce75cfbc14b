"""Strategies and their indicators: pure."""
