"""Publishes the ticks of feeds."""
