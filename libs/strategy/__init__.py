"""What a strategy is made of: base classes, indicators and a harness to test with. Pure."""
