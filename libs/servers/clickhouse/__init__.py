"""A ClickHouse of our own: a child process on one folder."""
