"""Candles into strategy signals."""
