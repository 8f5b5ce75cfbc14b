"""Base classes, indicators and a test harness for strategies. Pure."""
