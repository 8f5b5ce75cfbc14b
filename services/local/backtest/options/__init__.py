"""The way to trade options: contracts, their prices and exits."""
