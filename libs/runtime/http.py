"""The endpoints that each service has: live, ready, metrics and info."""

import contextlib
from collections.abc import Iterator
from typing import Any

import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import PlainTextResponse

from libs.runtime.health import Health
from libs.runtime.listening import listening
from libs.runtime.metrics import VERSION, Metrics
from libs.runtime.service import Service
from libs.runtime.settings import SettingsError

STOP_SECONDS = 3
HIGHEST_PORT = 65_535


def make_app(service: Service, health: Health, metrics: Metrics) -> FastAPI:
    """Return the HTTP application of a service.

    Handlers run on the event loop, not in threads, because they read the service's state.
    """
    app = FastAPI(title=f"AlphaStocks {service.name}", version=VERSION)

    @app.get("/health/live")
    async def live() -> dict[str, str]:
        """Answer 200 while the process runs."""
        return {"status": "alive"}

    @app.get("/health/ready", responses={503: {"description": "not ready, and why"}})
    async def ready(response: Response) -> dict[str, Any]:
        """Answer 200 when every required component works, else 503 with the reasons."""
        response.status_code = 200 if health.is_ready else 503
        status = "ready" if health.is_ready else "not ready"
        return {"status": status, "components": health.report()}

    @app.get("/metrics", response_class=PlainTextResponse)
    async def render() -> Response:
        """Answer with the metrics in Prometheus' text format."""
        metrics.note_components(health.components())
        if service.measure is not None:
            service.measure()
        return Response(metrics.render(), media_type="text/plain; version=0.0.4")

    @app.get("/info")
    async def info() -> dict[str, Any]:
        """Answer with the name, the version and the service's description; no secrets."""
        return {"service": service.name, "version": VERSION, **service.describe()}

    if service.router is not None:
        app.include_router(service.router)
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
                app, log_config=None, access_log=False, timeout_graceful_shutdown=STOP_SECONDS
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
