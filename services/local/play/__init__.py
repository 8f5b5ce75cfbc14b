"""Everything run from one command: in one process, or as processes on Kafka."""
