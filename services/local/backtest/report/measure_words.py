"""What each measure is called, how it is written, and what it means, in one line."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from libs.market.rupees import grouped, rupees
from services.local.backtest.report.times import duration

Value = float | int | None
UNDEFINED = "–"


class Said(NamedTuple):
    """A measure for a person."""

    name: str
    value: str
    meaning: str


def percent(value: float) -> str:
    """Return a fraction as percent."""
    return f"{value:.2%}"


def _ratio(value: float) -> str:
    return f"{value:,.2f}"


def _days(value: float) -> str:
    return f"{grouped(round(value))} days"


def _yes_or_no(value: float) -> str:
    return "yes" if value else "no"


def _count(value: float) -> str:
    return grouped(round(value))


Written = Callable[[float], str]
_WORDS: Mapping[str, tuple[str, Written, str]] = {
    "net": ("Profit after charges", rupees, "All trades together, what would have been left."),
    "gross": ("Profit before charges", rupees, "The same without brokerage, taxes and fees."),
    "charges": ("Charges", rupees, "Brokerage, STT, exchange, SEBI, stamp duty and GST."),
    "charges_share": (
        "Charges' share",
        percent,
        "Charges over the profit before them; above 100% they ate it all. Not defined for a loss.",
    ),
    "return": ("Return", percent, "The last equity over the capital, less 1."),
    "cagr": (
        "CAGR",
        percent,
        "Growth per year of 365 days. Of less than a year it assumes that the rest goes as well.",
    ),
    "sharpe": (
        "Sharpe ratio",
        _ratio,
        "Mean daily return over its deviation, times √252; risk-free rate 0. Above 1 is good.",
    ),
    "sortino": (
        "Sortino ratio",
        _ratio,
        "As Sharpe, but only days of loss count as deviation.",
    ),
    "calmar": ("Calmar ratio", _ratio, "CAGR over the maximum drawdown."),
    "max_drawdown": (
        "Maximum drawdown",
        percent,
        "The deepest fall of the equity below its highest so far, open trades included.",
    ),
    "max_drawdown_days": (
        "Length of it",
        _days,
        "Calendar days from that high until it was reached again, or to the end.",
    ),
    "max_drawdown_recovered": (
        "Recovered",
        _yes_or_no,
        "Whether the high was reached again before the end.",
    ),
    "trades": ("Trades", _count, "Below 30 they tell little; luck can do that."),
    "win_rate": ("Win rate", percent, "The share of trades with a profit after charges."),
    "profit_factor": (
        "Profit factor",
        _ratio,
        "What winning trades gained over what losing ones lost. Below 1 is a loss.",
    ),
    "expectancy": ("Expectancy", rupees, "The mean of a trade after charges."),
    "average_win": ("Average win", rupees, "The mean of the trades that gained."),
    "average_loss": ("Average loss", rupees, "The mean of the trades that lost."),
    "best_trade": ("Best trade", rupees, "If it is most of the profit, the rest is little."),
    "worst_trade": ("Worst trade", rupees, "What a single trade took."),
    "average_seconds_in_trade": (
        "Time in a trade",
        duration,
        "The mean from entry to exit, nights included.",
    ),
    "exposure": (
        "Exposure",
        percent,
        "The share of the market's time with at least one trade open.",
    ),
    "turnover": ("Turnover", rupees, "All that was bought and sold; charges grow with it."),
    "turnover_of_capital": (
        "Turnover of the capital",
        _ratio,
        "Turnover over the capital: how many times it was turned over.",
    ),
    "days": ("Days", _count, "Days with candles."),
}


def said_of(measures: Mapping[str, Value]) -> Iterator[Said]:
    """Yield each measure in the order of importance; those without words come last."""
    for key, (name, _, meaning) in _WORDS.items():
        if key in measures:
            yield Said(name, written(key, measures[key]), meaning)
    for key in measures.keys() - _WORDS.keys():
        yield Said(key.replace("_", " "), _plain(measures[key]), "")


def written(key: str, value: Value) -> str:
    """Return a measure's value as text, a dash where it is not defined."""
    return UNDEFINED if value is None else _WORDS[key][1](value)


def in_short(key: str, value: Value) -> str:
    """Return the same without paise."""
    is_money = value is not None and _WORDS[key][1] is rupees
    return rupees(value or 0, False) if is_money else written(key, value)


def _plain(value: Value) -> str:
    return UNDEFINED if value is None else f"{value:,}"
