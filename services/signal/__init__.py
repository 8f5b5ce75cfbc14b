"""Strategy signals into generated signals, each followed to its end."""
