"""Run the executor service by itself: `python -m services.executor --config FILE`."""

from libs.runtime.flattening import beside
from libs.runtime.process import run_process
from libs.runtime.service import Parts, Service
from libs.runtime.spec import ServiceSpec
from services.executor.service import make_service
from services.executor.settings import ExecutorProcess
from services.executor.venue import make_venue


def make_executor(settings: ExecutorProcess, parts: Parts) -> Service:
    """Return the service with the venue that the settings name."""
    own, kind = settings.executor, settings.runtime.clock
    venue = make_venue(own, settings.kite, kind, parts.clock, parts.metrics)
    file = beside(settings.kite.session_file) if venue.may_lose_replies else None
    return make_service(own, parts, venue, waits=True, bus=settings.bus.kind, flattening=file)


SPEC = ServiceSpec("executor", ExecutorProcess, make_executor, processes="fenced")

if __name__ == "__main__":
    run_process(SPEC)
