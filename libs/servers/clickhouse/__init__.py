"""A local ClickHouse server: a child process on one folder."""
