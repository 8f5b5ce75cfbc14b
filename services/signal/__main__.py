"""The signal service by itself: `python -m services.signal --config FILE`."""

from libs.runtime.process import run_process
from libs.runtime.spec import ServiceSpec
from services.signal.service import make_service
from services.signal.settings import SignalProcess

SPEC = ServiceSpec("signal", SignalProcess, lambda own, parts: make_service(own.signal, parts))

if __name__ == "__main__":
    run_process(SPEC)
