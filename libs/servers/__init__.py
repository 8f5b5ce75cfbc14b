"""Local ClickHouse and Kafka servers, run as child processes."""
