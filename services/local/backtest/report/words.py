"""The head of the report: what was tested, on what, what came of it, and what to beware of."""

from collections.abc import Iterator

from libs.market.rupees import grouped, rupees
from services.local.backtest.report.measure_words import percent
from services.local.backtest.report.times import day
from services.local.backtest.result import BacktestResult

FEW_TRADES = 30
MOST_NAMES = 8
PAST = (
    "Past results do not tell what a strategy will earn: fills here are assumed, and a rule that "
    "was chosen for its past tends to do worse afterwards."
)


def title(result: BacktestResult) -> str:
    """Return what was tested, for the page's title."""
    return f"Backtest of {result.request.strategy} on {_instruments(result)}"


def subject(result: BacktestResult) -> str:
    """Return the candles that were used, as a sentence."""
    days = [one.trading_day for one in result.histories if len(one)]
    count = sum(len(one) for one in result.histories)
    if not days:
        return "No candles."
    first, last = min(one[0] for one in days).item(), max(one[-1] for one in days).item()
    return (
        f"{_instruments(result)}: {counted(count, 'candle')} of {result.histories[0].interval}, "
        f"{day(first)} to {day(last)}."
    )


def counted(count: int, what: str) -> str:
    """Return a count with its noun: 1 trade, 1,234 trades."""
    return f"{grouped(count)} {what}{'' if count == 1 else 's'}"


def _instruments(result: BacktestResult) -> str:
    names = [one.tradingsymbol for one in result.histories]
    shown = ", ".join(names[:MOST_NAMES])
    return f"{shown} and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else shown


def parameters(result: BacktestResult) -> str:
    """Return the strategy's parameters as text."""
    given = ", ".join(f"{key} = {value}" for key, value in result.request.parameters.items())
    return f"Parameters: {given}." if given else "Parameters: those of the strategy itself."


def trading(result: BacktestResult) -> str:
    """Return how signals were traded, as sentences."""
    request = result.request
    night = "held over night" if request.is_overnight else "squared off at the end of the day"
    if request.trades_in == "options":
        how = (
            f"Traded in options with {rupees(request.capital, False)}: contract, lots and levels "
            "as the executor chooses them, bought at the ask and sold at the bid of a stated "
            f"model or of recorded chains, {night}"
        )
    else:
        how = (
            f"Traded in the instrument itself with {rupees(request.capital, False)}: at most "
            f"{_percent(request.risk)} of it at risk and {_percent(request.max_position)} used "
            f"in a trade, slippage {_percent(request.slippage)} a side, {night}"
        )
    return (
        f"{how}. An entry is at the open after the signal's candle; where a candle holds both "
        "stop and target, the stop comes first."
    )


def _percent(fraction: object) -> str:
    return f"{float(str(fraction)) * 100:.4g}%"


def outcome(result: BacktestResult) -> str:
    """Return the result after charges in one plain sentence."""
    measures, request = result.measures, result.request
    if not result.trades:
        return f"No trade was made: {rupees(request.capital)} stayed as they were."
    net, gross = measures["net"] or 0, measures["gross"] or 0
    verb = "gained" if net > 0 else "lost" if net < 0 else "ended with"
    change = percent(abs(measures["return"] or 0))
    before = f"a {'loss' if gross < 0 else 'gain'} of {rupees(abs(gross))}"
    return (
        f"{counted(len(result.trades), 'trade')} {verb} {rupees(abs(net))} after charges, {change} "
        f"of the capital. Before charges it was {before}; charges were "
        f"{rupees(measures['charges'] or 0)}."
    )


def warnings(result: BacktestResult) -> Iterator[str]:
    """Yield what makes the result doubtful, each a sentence."""
    yield from result.warnings
    count, best = len(result.trades), result.measures["best_trade"]
    net, gross = result.measures["net"] or 0, result.measures["gross"] or 0
    if count < FEW_TRADES:
        yield f"{_trades(count)}: fewer than {FEW_TRADES} cannot tell a good rule from luck."
    if gross > 0 >= net:
        yield "The rule gained before charges and did not after them."
    if best is not None and net > 0 and best > net / 2:
        yield f"One trade made {best / net:.0%} of the profit; without it little is left."


def _trades(count: int) -> str:
    return {0: "No trade", 1: "Only one trade"}.get(count, f"Only {count} trades")
