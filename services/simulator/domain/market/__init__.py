"""The market that is played: synthetic paths, option quotes, candles, frames of ticks."""
