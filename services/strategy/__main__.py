"""Run the strategy service by itself: `python -m services.strategy --config FILE`."""

from libs.runtime.process import run_process
from services.strategy.service import make_service
from services.strategy.settings import StrategyProcess

if __name__ == "__main__":
    run_process("strategy", StrategyProcess, lambda own, parts: make_service(own.strategy, parts))
