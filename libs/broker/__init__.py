"""Brokers: the ports, paper trading, and a folder for each real broker."""
