"""Run the position service by itself: `python -m services.position --config FILE`."""

from libs.runtime.process import run_process
from services.position.service import make_service
from services.position.settings import PositionProcess

if __name__ == "__main__":
    run_process(
        "position",
        PositionProcess,
        lambda own, parts: make_service(own.position, parts),
        is_single=True,
    )
