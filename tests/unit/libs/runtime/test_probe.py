"""The health check of a container, against an endpoint of each kind."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from libs.runtime.probe import main


@contextmanager
def answering(status: int, body: dict[str, object]) -> Iterator[str]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, format: str, *args: object) -> None:
            """Be quiet."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}/health/ready"
        server.shutdown()
        serving.join()


@pytest.mark.parametrize(("status", "exit_status"), [(200, 0), (503, 1)])
def test_it_prints_what_the_service_says_ready_or_not(
    status: int, exit_status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    said: dict[str, object] = {"status": "told", "waits_for": "a login"}
    with answering(status, said) as url:
        assert main(url) == exit_status
    assert json.loads(capsys.readouterr().out) == said


def test_a_service_that_does_not_answer_is_not_ready(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as place:
        port = place.getsockname()[1]
    assert main(f"http://127.0.0.1:{port}/health/ready") == 1
    assert capsys.readouterr().out.startswith("no answer: ")
