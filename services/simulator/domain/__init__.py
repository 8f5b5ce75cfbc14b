"""The synthetic market in pure code: paths of underlyings, option quotes, frames of ticks."""
