"""What clients see of the market second by second: ticks, depth, Kite's binary packets."""
