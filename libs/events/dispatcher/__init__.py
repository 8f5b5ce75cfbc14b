"""Events to handlers inside one process, by type, by filter or all of them."""
