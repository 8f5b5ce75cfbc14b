"""The bench's ingest over three websockets, as a process."""

from tests.bench.sockets_roles import run_ingest

if __name__ == "__main__":
    run_ingest()
