"""Folds ticks into candles of one minute to a day."""
