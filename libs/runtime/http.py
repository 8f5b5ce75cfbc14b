"""The endpoints that each service has: live, ready, metrics and info, and its pages."""

import contextlib
from collections.abc import Collection, Iterator
from typing import Any

import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse, PlainTextResponse

from libs.runtime.health import Health
from libs.runtime.http_connections import BoundedProtocol
from libs.runtime.http_guard import Guard
from libs.runtime.listening import listening
from libs.runtime.metrics import Metrics
from libs.runtime.pages import docs_page, home_page
from libs.runtime.service import Service
from libs.runtime.settings import SettingsError
from libs.runtime.version import VERSION

STOP_SECONDS = 3
HIGHEST_PORT = 65_535


def make_app(
    service: Service, health: Health, metrics: Metrics, hosts: Collection[str] = ()
) -> FastAPI:
    """Return the HTTP application of a service; `hosts` are names by which it may be asked.

    Handlers run on the event loop, not in threads, because they read the service's state.
    """
    title = f"AlphaStocks {service.name}"
    app = FastAPI(title=title, version=VERSION, docs_url=None, redoc_url=None)

    @app.get("/health/live")
    async def live() -> dict[str, str]:
        """Answer 200 while the process runs."""
        return {"status": "alive"}

    @app.get("/health/ready", responses={503: {"description": "not ready, and why"}})
    async def ready(response: Response) -> dict[str, Any]:
        """Answer 200 when every required component works, else 503 with the reasons.

        A service that waits for a login or for the next trading day is ready; `waits_for` says so.
        """
        response.status_code = 200 if health.is_ready else 503
        status = "ready" if health.is_ready else "not ready"
        waits = {"waits_for": health.waiting.reason} if health.waiting.reason else {}
        return {"status": status, **waits, "components": health.report()}

    @app.get("/metrics", response_class=PlainTextResponse)
    async def render() -> Response:
        """Answer with the metrics in Prometheus' text format."""
        metrics.note_components(health.components(), is_waiting=bool(health.waiting.reason))
        if service.measure is not None:
            service.measure()
        return Response(metrics.render(), media_type="text/plain; version=0.0.4")

    @app.get("/info")
    async def info() -> dict[str, Any]:
        """Answer with the name, the version and the service's description; no secrets."""
        return {"service": service.name, "version": VERSION, **service.describe()}

    @app.get("/", include_in_schema=False)
    async def home() -> HTMLResponse:
        """Answer with the page of links."""
        return home_page(service, health)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        """Answer with the description of the endpoints."""
        return docs_page(app.openapi())

    if service.router is not None:
        app.include_router(service.router)
    app.add_middleware(Guard, hosts=hosts, private=service.private)
    return app


class HttpServer(uvicorn.Server):
    """A uvicorn server on a bound socket, which leaves signals to the runner.

    Raises SettingsError where the address cannot be bound; uvicorn would end the process.
    """

    def __init__(self, app: FastAPI, host: str, port: int) -> None:
        check_range(host, port)
        self._socket = listening(host, port, "runtime.port")
        super().__init__(
            uvicorn.Config(
                app,
                http=BoundedProtocol,
                ws="none",
                log_config=None,
                log_level="error",  # who sends no HTTP would fill the log
                access_log=False,
                proxy_headers=False,  # whoever sends them would be believed
                server_header=False,
                timeout_graceful_shutdown=STOP_SECONDS,
            )
        )

    async def run_until_stopped(self) -> None:
        """Answer requests until `close`, or until the task is cancelled."""
        await self.serve(sockets=[self._socket])

    def close(self) -> None:
        """End `run_until_stopped`; open requests get STOP_SECONDS."""
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


def check_range(host: str, port: int) -> None:
    """Raise SettingsError for a port beyond the highest."""
    if port > HIGHEST_PORT:
        raise SettingsError(f"runtime.port: too high for all services: {host}:{port}")
