"""The position service by itself: `python -m services.position --config FILE`."""

from libs.runtime.process import run_process
from libs.runtime.spec import ServiceSpec
from services.position.service import make_service
from services.position.settings import PositionProcess

SPEC = ServiceSpec(
    "position",
    PositionProcess,
    lambda own, parts: make_service(own.position, parts),
    processes="fenced",
)

if __name__ == "__main__":
    run_process(SPEC)
