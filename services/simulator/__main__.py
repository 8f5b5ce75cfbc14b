"""`python -m services.simulator`: the simulated exchange as a process of its own."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from libs.runtime.error_line import errors_as_one_line
from libs.runtime.logs import configure_logs
from libs.runtime.process import OneLineParser
from libs.runtime.runner import stop_on_signals
from libs.runtime.settings import load_settings
from services.simulator.assembly import synthetic_market
from services.simulator.days import run_days
from services.simulator.running import run_simulator, welcome, with_options
from services.simulator.server import SimulatorServer
from services.simulator.settings import SimulatorProcess, SimulatorSettings

_EXAMPLE = """example:
  python -m services.simulator --date 2026-06-17 --start 10:00 --speed 10

Then log in at the address that is shown, or exchange its token as Kite Connect does:
the app's key is `simulator` and its secret `simulator-secret` unless the settings say otherwise.
Ctrl-C stops it.
"""
_OPTIONS = {
    "date": ("day", "trading day that is played"),
    "seed": ("seed", "seed of the market"),
    "speed": ("speed", "times as fast as the market"),
    "start": ("start", "time in India to begin at, 10:00 say; the open otherwise"),
    "host": ("host", "address to listen on"),
    "port": ("port", "port to listen on; 0: any that is free"),
    "faults": ("faults", "TOML file of scheduled faults"),
    "state": ("state", "file that keeps the account over restarts"),
}
_GOES_ON = "play one trading day after another; a day begins when a client subscribes"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run until SIGTERM or Ctrl-C; exit status 2 for unusable settings."""
    with errors_as_one_line("simulator"):
        options = vars(_parser().parse_args(arguments))
        process = load_settings(SimulatorProcess, options.pop("config"))
        configure_logs(process.runtime.log_level, process.runtime.log_format)
        goes_on = {"goes_on": True} if options.pop("goes_on") else {}
        chosen = {_OPTIONS[name][0]: text for name, text in options.items() if text is not None}
        asyncio.run(_run(with_options(process.simulator, chosen | goes_on)))


async def _run(settings: SimulatorSettings) -> None:
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    if settings.goes_on:
        await run_days(settings, stopping, _welcome)
    else:
        await run_simulator(settings, synthetic_market(settings), stopping, _welcome)


def _welcome(server: SimulatorServer) -> None:
    sys.stdout.write(f"{welcome(server)}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="python -m services.simulator",
        description="A simulated Kite Connect v3 exchange on this machine.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--goes-on", action="store_true", help=_GOES_ON)
    parser.add_argument("--config", type=Path, help="settings file, config/alphastocks.toml say")
    for name, (_, described) in _OPTIONS.items():
        parser.add_argument(f"--{name}", help=described)
    return parser


if __name__ == "__main__":
    main()
