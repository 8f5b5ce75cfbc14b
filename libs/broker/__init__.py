"""The broker: a port, and paper trading behind it."""
