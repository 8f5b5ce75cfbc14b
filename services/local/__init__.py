"""The `alphastocks` command: all services in one process, or as processes on Kafka."""
