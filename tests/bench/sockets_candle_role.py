"""The bench's candle beside ingest over three websockets, as a process."""

from tests.bench.sockets_roles import run_candle

if __name__ == "__main__":
    run_candle()
