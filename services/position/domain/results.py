"""What trades came to: win rate, profit factor, expectancy, drawdown, slippage, charges' share.

Closed trades count alone. A figure that is not defined is None. Money is in rupees, after charges
unless its name says otherwise.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from libs.market.calendar import IST
from services.position.domain.trades import Trade

_NOTHING = Decimal(0)
Key = Callable[[Trade], str]


@dataclass(frozen=True, slots=True)
class Results:
    """The figures of some closed trades. `slippage` is of the `slippage_known` trades that have it.

    `drawdown` is the largest fall of the running net from its peak, which is 0 at first;
    `charges_share` is charges over the profit before them, None without one.
    """

    trades: int
    wins: int
    net: Decimal
    realised: Decimal
    charges: Decimal
    win_rate: float | None
    profit_factor: float | None
    expectancy: Decimal | None
    average_win: Decimal | None
    average_loss: Decimal | None
    drawdown: Decimal
    slippage: Decimal | None
    slippage_known: int
    charges_share: float | None
    average_seconds: float | None


def results_of(trades: Iterable[Trade]) -> Results:
    """Return the figures of the closed trades."""
    closed = in_closing_order(trades)
    nets = [one.net for one in closed]
    wins, losses = [one for one in nets if one > 0], [one for one in nets if one < 0]
    realised, charges = (_sum(getattr(one, name) for one in closed) for name in _SUMS)
    slips = [one.slippage for one in closed if one.slippage is not None]
    return Results(
        trades=len(closed),
        wins=len(wins),
        net=_sum(nets),
        realised=realised,
        charges=charges,
        win_rate=len(wins) / len(closed) if closed else None,
        profit_factor=float(_sum(wins) / -_sum(losses)) if losses else None,
        expectancy=_mean(nets),
        average_win=_mean(wins),
        average_loss=_mean(losses),
        drawdown=drawdown(nets),
        slippage=_sum(slips) if slips else None,
        slippage_known=len(slips),
        charges_share=float(charges / realised) if realised > 0 else None,
        average_seconds=_average_seconds(closed),
    )


def in_closing_order(trades: Iterable[Trade]) -> list[Trade]:
    """Return the closed trades, the first closed first."""
    closed = [(one.closed_at, str(one.position_id), one) for one in trades if one.closed_at]
    return [one for _, _, one in sorted(closed, key=lambda place: place[:2])]


def drawdown(nets: Iterable[Decimal]) -> Decimal:
    """Return the largest fall of the running sum from its peak, a positive amount."""
    total = peak = worst = _NOTHING
    for net in nets:
        total += net
        peak = max(peak, total)
        worst = max(worst, peak - total)
    return worst


def _hour(trade: Trade) -> str:
    return f"{trade.opened_at.astimezone(IST):%H}:00"


GROUPS: Mapping[str, Key] = MappingProxyType(
    {
        "day": lambda one: one.trading_day.isoformat(),
        "strategy": lambda one: one.strategy,
        "underlying": lambda one: one.underlying,
        "hour": _hour,
        "profile": lambda one: one.profile,
        "reason": lambda one: one.exit_reason or "",
    }
)
"""By what trades are grouped: the day of closing, the hour of entry in India, the exit's reason."""


def grouped_results(trades: Sequence[Trade], key: Key) -> dict[str, Results]:
    """Return the figures of each group of the closed trades, by its name."""
    groups: dict[str, list[Trade]] = {}
    for trade in in_closing_order(trades):
        groups.setdefault(key(trade), []).append(trade)
    return {name: results_of(groups[name]) for name in sorted(groups)}


_SUMS = ("realised", "charges")


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, _NOTHING)


def _mean(amounts: Sequence[Decimal]) -> Decimal | None:
    return (_sum(amounts) / len(amounts)).quantize(Decimal("0.01")) if amounts else None


def _average_seconds(trades: Sequence[Trade]) -> float | None:
    seconds = [one.seconds for one in trades if one.seconds is not None]
    return sum(seconds) / len(seconds) if seconds else None
