"""How ticks become candles, without I/O."""
