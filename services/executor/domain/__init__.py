"""Choice and size of trades, and the state of orders, without I/O."""
