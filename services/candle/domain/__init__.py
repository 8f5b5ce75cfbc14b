"""How ticks become candles: pure."""
