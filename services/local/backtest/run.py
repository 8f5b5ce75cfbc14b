"""A backtest: one strategy with its parameters on the candles of some instruments."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from libs.events.signals import StrategySignal
from libs.strategy.strategy import Strategy
from services.local.backtest.candles.blemishes import warnings_of
from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.candles.period import until, within
from services.local.backtest.equity import equity_of
from services.local.backtest.errors import BacktestError
from services.local.backtest.measures import measures
from services.local.backtest.result import BacktestRequest, BacktestResult, TradesIn
from services.local.backtest.signals import LIMIT_SECONDS, Signalled, signals_on
from services.local.backtest.underlying import Traded, trades_in_underlying
from services.strategy.domain.registry import KnownStrategies, make_strategy

Trader = Callable[[CandleHistory, Sequence[StrategySignal], BacktestRequest], Traded]
TRADERS: Mapping[TradesIn, Trader] = {"underlying": trades_in_underlying}
"""What makes trades of an instrument's signals."""


def run_backtest(
    request: BacktestRequest,
    histories: Sequence[CandleHistory],
    known: KnownStrategies,
    *,
    on_symbol: Callable[[CandleHistory], None] = lambda _: None,
    limit_seconds: float = LIMIT_SECONDS,
) -> BacktestResult:
    """Run a strategy on histories and trade its signals; `on_symbol` is called after each.

    Candles before the first day warm it up. Raises UnknownStrategy for a strategy or parameters
    that are not known, and BacktestError for what cannot be used, naming it.
    """
    strategy = make_strategy(request.strategy, request.parameters, known)
    _check(request, strategy, histories)
    period = [within(one, request.first_day, request.last_day) for one in histories]
    made, traded = [], []
    for history, traded_on in zip(histories, period, strict=True):
        signalled = signals_of_period(strategy, history, request, limit_seconds)
        made.append(signalled)
        traded.append(TRADERS[request.trades_in](traded_on, signalled.signals, request))
        on_symbol(history)
    return _result(request, period, made, traded)


def _check(
    request: BacktestRequest, strategy: Strategy, histories: Sequence[CandleHistory]
) -> None:
    if not histories:
        raise BacktestError("there are no candles")
    if request.trades_in not in TRADERS:
        raise BacktestError(f"--in {request.trades_in}: known are {', '.join(TRADERS)}")
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
    traded: Sequence[Traded],
) -> BacktestResult:
    signals = sorted(
        (signal for one in made for signal in one.signals),
        key=lambda one: (one.candle_closed_at, one.exchange, one.tradingsymbol),
    )
    trades = sorted(
        (trade for one in traded for trade in one.trades),
        key=lambda one: (one.entered_ms, one.instrument),
    )
    equity = equity_of(trades, period, request.capital)
    refused = sum(one.refused for one in made)
    return BacktestResult(
        request=request,
        histories=tuple(period),
        signals=tuple(signals),
        trades=tuple(trades),
        equity=equity,
        measures=measures(trades, equity, request),
        warnings=(*warnings_of(period), *_refusals(made, refused)),
        untraded=_counted(traded),
        refused=refused,
    )


def _counted(traded: Sequence[Traded]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for one in traded:
        counts.update(one.untraded)
    return dict(sorted(counts.items()))


def _refusals(made: Sequence[Signalled], refused: int) -> tuple[str, ...]:
    if not refused:
        return ()
    last = next(one.last_refusal for one in reversed(made) if one.refused)
    return (f"{refused} signals were refused at their source; the last one {last}",)
