"""Run the candle service by itself: `python -m services.candle --config FILE`."""

from libs.runtime.process import run_process
from services.candle.service import make_service
from services.candle.settings import CandleProcess

if __name__ == "__main__":
    run_process("candle", CandleProcess, lambda own, parts: make_service(own.candle, parts))
