"""Tables: the store's port, ClickHouse behind it, a server of our own, and migrations."""
