"""Servers of our own for who has none: ClickHouse and Kafka as child processes."""
