"""The bench's ingest as a process."""

from tests.bench.kafka_roles import run_ingest

if __name__ == "__main__":
    run_ingest()
