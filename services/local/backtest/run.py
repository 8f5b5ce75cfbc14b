"""A backtest: one strategy with its parameters on the candles of some instruments."""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from libs.strategy.strategy import Strategy
from services.local.backtest.candles.blemishes import warnings_of
from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.candles.period import until, within
from services.local.backtest.equity import equity_of
from services.local.backtest.errors import BacktestError
from services.local.backtest.measures import measures
from services.local.backtest.result import BacktestRequest, BacktestResult
from services.local.backtest.signals import LIMIT_SECONDS, Signalled, signals_on
from services.local.backtest.trading import InUnderlying, Traded, Trader
from services.strategy.domain.registry import KnownStrategies, make_strategy


def run_backtest(
    request: BacktestRequest,
    histories: Sequence[CandleHistory],
    known: KnownStrategies,
    *,
    trader: Trader | None = None,
    on_symbol: Callable[[CandleHistory], None] = lambda _: None,
    limit_seconds: float = LIMIT_SECONDS,
) -> BacktestResult:
    """Run a strategy on histories and trade its signals; `on_symbol` is called after each.

    Without a trader the instruments themselves are traded. Candles before the first day warm the
    strategy up. Raises UnknownStrategy for a strategy or parameters that are not known, and
    BacktestError for what cannot be used, naming it.
    """
    strategy = make_strategy(request.strategy, request.parameters, known)
    _check(request, strategy, histories)
    period = [within(one, request.first_day, request.last_day) for one in histories]
    with _earlier_objects_left_alone():
        made = []
        for history in histories:
            made.append(signals_of_period(strategy, history, request, limit_seconds))
            on_symbol(history)
        traded = (trader or InUnderlying())(request, period, [one.signals for one in made])
        return _result(request, period, made, traded)


@contextmanager
def _earlier_objects_left_alone() -> Iterator[None]:
    """Let the garbage collection not look at what was there before: a run makes none of it free."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _check(
    request: BacktestRequest, strategy: Strategy, histories: Sequence[CandleHistory]
) -> None:
    if not histories:
        raise BacktestError("there are no candles")
    is_daily = strategy.interval == "day" or any(one.interval == "day" for one in histories)
    if is_daily and not request.is_overnight:
        said = "a signal on a candle of a day is entered on the next day"
        raise BacktestError(f"{said}, which needs --overnight")


def signals_of_period(
    strategy: Strategy,
    history: CandleHistory,
    request: BacktestRequest,
    limit_seconds: float = LIMIT_SECONDS,
) -> Signalled:
    """Return the signals of the period; a new object sees the candles before it, too."""
    made = signals_on(strategy.anew(), until(history, request.last_day), limit_seconds)
    if request.first_day is not None:
        made.signals = [one for one in made.signals if one.trading_day >= request.first_day]
    return made


def _result(
    request: BacktestRequest,
    period: Sequence[CandleHistory],
    made: Sequence[Signalled],
    traded: Traded,
) -> BacktestResult:
    signals = sorted(
        (signal for one in made for signal in one.signals),
        key=lambda one: (one.candle_closed_at, one.exchange, one.tradingsymbol),
    )
    equity = equity_of(traded.trades, period, request.capital, traded.marks)
    refused = sum(one.refused for one in made)
    return BacktestResult(
        request=request,
        histories=tuple(period),
        signals=tuple(signals),
        trades=traded.trades,
        equity=equity,
        measures=measures(traded.trades, equity, request),
        warnings=(*warnings_of(period), *_refusals(made, refused)),
        untraded=traded.untraded,
        refused=refused,
    )


def _refusals(made: Sequence[Signalled], refused: int) -> tuple[str, ...]:
    if not refused:
        return ()
    last = next(one.last_refusal for one in reversed(made) if one.refused)
    return (f"{refused} signals were refused at their source; the last one {last}",)
