"""Run the executor service by itself: `python -m services.executor --config FILE`."""

from libs.runtime.process import run_process
from services.executor.service import make_service
from services.executor.settings import ExecutorProcess

if __name__ == "__main__":
    run_process("executor", ExecutorProcess, lambda own, parts: make_service(own.executor, parts))
