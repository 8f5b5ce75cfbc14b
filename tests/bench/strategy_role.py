"""The bench's strategy as a process."""

from tests.bench.kafka_roles import run_strategy

if __name__ == "__main__":
    run_strategy()
