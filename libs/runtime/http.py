"""The endpoints that each service has: live, ready, metrics and info."""

import contextlib
from collections.abc import Iterator
from typing import Any

import uvicorn
from fastapi import FastAPI, Response

from libs.runtime.health import Health
from libs.runtime.metrics import VERSION, Metrics
from libs.runtime.service import Service


def make_app(service: Service, health: Health, metrics: Metrics) -> FastAPI:
    """Return the HTTP application of a service."""
    app = FastAPI(title=f"AlphaStocks {service.name}", version=VERSION)

    @app.get("/health/live")
    def live() -> dict[str, str]:
        """Answer as long as the process runs."""
        return {"status": "alive"}

    @app.get("/health/ready")
    def ready(response: Response) -> dict[str, Any]:
        """Answer 200 when every required component works, else 503 with the reasons."""
        response.status_code = 200 if health.is_ready else 503
        status = "ready" if health.is_ready else "not ready"
        return {"status": status, "components": health.report()}

    @app.get("/metrics")
    def render() -> Response:
        """Answer the metrics in Prometheus' text format."""
        return Response(metrics.render(), media_type="text/plain; version=0.0.4")

    @app.get("/info")
    def info() -> dict[str, Any]:
        """Answer the name, the version and what the service says of itself; no secrets."""
        return {"service": service.name, "version": VERSION, **service.describe()}

    if service.router is not None:
        app.include_router(service.router)
    return app


class HttpServer(uvicorn.Server):
    """A uvicorn server that leaves signals to the runner."""

    def __init__(self, app: FastAPI, host: str, port: int) -> None:
        super().__init__(
            uvicorn.Config(app, host=host, port=port, log_config=None, access_log=False)
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield
