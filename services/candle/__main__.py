"""The candle service by itself: `python -m services.candle --config FILE`."""

from libs.runtime.process import run_process
from libs.runtime.spec import ServiceSpec
from services.candle.service import make_service
from services.candle.settings import CandleProcess

SPEC = ServiceSpec(
    "candle",
    CandleProcess,
    lambda own, parts: make_service(own.candle, parts),
    processes="per_partition",
)

if __name__ == "__main__":
    run_process(SPEC)
