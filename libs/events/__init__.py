"""Events, topics, and the bus that carries them."""
