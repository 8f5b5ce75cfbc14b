"""The life of a signal: pure."""
