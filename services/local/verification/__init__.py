"""Live candles of a day compared with the broker's own."""
