"""`alphastocks backtest`: a strategy on recorded candles, with trades after charges."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from libs.events.candles import Interval
from services.local import screen
from services.local.backtest.asked import (
    interval_of,
    named_of,
    number_of,
    period_of,
    split,
)
from services.local.backtest.candles.files import read_candles
from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.candles.stored import stored_candles
from services.local.backtest.errors import BacktestError
from services.local.backtest.files import write_result
from services.local.backtest.many.asking import asked_of
from services.local.backtest.options.chains import read_chains
from services.local.backtest.options.rules import OptionRules, PriceModel
from services.local.backtest.report.page import report_of
from services.local.backtest.result import BacktestRequest, BacktestResult, TradesIn
from services.local.backtest.run import run_backtest
from services.local.backtest.trading import InOptions, InUnderlying, Trader
from services.local.backtest_screen import show_result
from services.local.bias_screen import check_bias
from services.local.commands.options import Config, settings_of
from services.local.commands.places import check_database, check_folder
from services.local.many_screen import run_and_rank
from services.local.play.database import open_store
from services.local.settings import LocalSettings
from services.strategy.domain.registry import KnownStrategies, make_strategy
from services.strategy.finding import known_strategies


def backtest(
    strategy: Annotated[
        list[str], typer.Option("--strategy", help="Name of the strategy; repeatable.")
    ],
    candles: Annotated[
        str,
        typer.Option(
            "--candles",
            metavar="PATH_OR_SYMBOLS",
            help="CSV, .csv.gz or Parquet files, a folder of them, or stored symbols: A,B.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the outcome.")],
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            help="A parameter, such as fast=5; a grid: fast=5,9 or fast=3..9; repeatable.",
        ),
    ] = None,
    first: Annotated[
        str | None, typer.Option("--from", help="First day; candles before it warm up.")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day.")] = None,
    interval: Annotated[
        str | None,
        typer.Option("--interval", help="Interval of the candles. [default: what the files have]"),
    ] = None,
    trades_in: Annotated[
        str, typer.Option("--in", help="What is traded: underlying or options.")
    ] = "underlying",
    capital: Annotated[str, typer.Option("--capital", help="Rupees.")] = "1000000",
    risk: Annotated[
        str, typer.Option("--risk", help="Part of the capital that a trade may lose at its stop.")
    ] = "0.02",
    slippage: Annotated[
        str, typer.Option("--slippage", help="Part of the price that each market order loses.")
    ] = "0.0002",
    iv: Annotated[
        str | None,
        typer.Option(
            "--iv",
            help="Implied volatility of options: 0.15 is 15 %. [default: realised, see the docs]",
        ),
    ] = None,
    chains: Annotated[
        Path | None, typer.Option("--chains", help="Recorded option chains, where there are any.")
    ] = None,
    overnight: Annotated[
        bool, typer.Option("--overnight", help="Keep positions over night.")
    ] = False,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="Folder of strategies. [default: strategy.folder]"),
    ] = None,
    exchange: Annotated[
        str | None, typer.Option("--exchange", help="Exchange of the files' candles.")
    ] = None,
    symbol: Annotated[
        str | None, typer.Option("--symbol", help="Tradingsymbol of the files' candles.")
    ] = None,
    database: Annotated[
        str | None, typer.Option("--database", help="Database of stored candles. [default: up]")
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Rank strategies and sets of parameters.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Do not run again what --out has of a grid.")
    ] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Look for signals that know the future or the beginning."),
    ] = False,
    config: Config = None,
    var: Annotated[
        Path, typer.Option("--var", help="Folder of the database of stored candles.")
    ] = Path("var/up"),
) -> None:
    """Run a strategy on recorded candles, and trade its signals with slippage and charges.

    The same class runs as in replay, paper and live, so the same candles give the same signals.
    A signal is entered at the next candle's open; docs/backtest.md says how trades are filled.
    Writes strategy_signals.jsonl, trades.csv, equity.csv and summary.json, with one sha256 over
    the first three, and report.html, which a browser opens offline.

    Example: `alphastocks backtest --strategy ma_crossover --candles candles/ --out var/backtest`,
    `alphastocks backtest --strategy ma_crossover --param fast=5 --candles RELIANCE,SBIN --interval
    15m --from 2026-01-01 --out var/stored`,
    `alphastocks backtest --strategy ma_crossover --param fast=5..15 --param slow=20,30,50 --compare
    --candles candles/ --out var/grid`
    """
    settings = settings_of(config)
    known = known_strategies(folder or settings.strategy.folder, set(strategy))
    asked = asked_of(strategy, param or (), known)
    wanted = interval_of(interval)
    named = named_of(wanted, exchange, symbol)
    first_day, last_day = period_of(first, last)
    request = BacktestRequest(
        strategy=asked[0].strategy,
        parameters=asked[0].parameters,
        trades_in=cast(TradesIn, trades_in),
        capital=number_of("--capital", capital, Decimal(10**12), Decimal(1000)),
        risk=number_of("--risk", risk, Decimal(1), Decimal("0.0001")),
        slippage=number_of("--slippage", slippage, Decimal("0.2")),
        is_overnight=overnight,
        first_day=first_day,
        last_day=last_day,
    )
    trader = _trader(trades_in, settings, iv, chains)
    chosen = make_strategy(request.strategy, request.parameters, known)
    check_folder("--out", out)
    paths, symbols = split(candles)
    if paths:
        histories = read_candles(paths, named)
    else:
        if exchange is not None or symbol is not None:
            raise BacktestError("--exchange and --symbol say what files hold; write NSE:SBIN here")
        check_database(database)
        histories = _stored(settings, var, database, symbols, wanted or chosen.interval)
    if compare or resume or len(asked) > 1:
        source = folder or settings.strategy.folder
        run_and_rank(request, asked, histories, source, out, trader=trader, is_resumed=resume)
        return
    result = _ran(request, histories, known, trader)
    summary = write_result(result, out, {"report.html": report_of(result)})
    show_result(result, summary, out)
    if check and not check_bias(chosen, histories):
        raise typer.Exit(1)


def _trader(trades_in: str, settings: LocalSettings, iv: str | None, chains: Path | None) -> Trader:
    """Return what trades: options by the settings of executor and position, or the instrument."""
    if trades_in not in get_args(TradesIn):
        known = ", ".join(get_args(TradesIn))
        raise BacktestError(f"--in: {trades_in!r} is not one of {known}")
    if trades_in == "underlying":
        for option, value in (("--iv", iv), ("--chains", chains)):
            if value is not None:
                raise BacktestError(f"{option} is for trades in options: add --in options")
        return InUnderlying()
    volatility = None if iv is None else float(number_of("--iv", iv, Decimal(5), Decimal("0.001")))
    model = PriceModel(volatility=volatility)
    rules = OptionRules(settings.executor.policy(), settings.position.exits, model)
    return InOptions(rules, None if chains is None else read_chains(chains))


def _stored(
    settings: LocalSettings,
    var: Path,
    database: str | None,
    symbols: Sequence[str],
    interval: Interval,
) -> tuple[CandleHistory, ...]:
    """Read stored candles, from the server of the settings or the one of the folder."""
    if not settings.store.host and not var.is_dir():
        word = f"--candles {','.join(symbols)}"
        raise BacktestError(f"{word}: there is no such file, and no database in {var} (--var)")
    name = database or settings.store.database or "up"

    async def read() -> tuple[CandleHistory, ...]:
        async with open_store(settings.store, var, name) as store:
            return await stored_candles(store, symbols, interval)

    return asyncio.run(read())


def _ran(
    request: BacktestRequest,
    histories: Sequence[CandleHistory],
    known: KnownStrategies,
    trader: Trader,
) -> BacktestResult:
    with screen.counted_progress(request.strategy, len(histories)) as on_done:
        return run_backtest(
            request,
            histories,
            known,
            trader=trader,
            on_symbol=lambda _: on_done(),
        )
