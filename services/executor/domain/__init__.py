"""Which option, how many, at what levels, and what became of the order: pure."""
