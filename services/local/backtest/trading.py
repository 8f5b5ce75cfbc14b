"""What makes trades of signals: in the underlying itself, or in its options."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from libs.events.signals import StrategySignal
from libs.market.calendar import load_calendar
from libs.market.rulebook import load_rulebook
from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.options.chains import RecordedChains
from services.local.backtest.options.desk import Marks
from services.local.backtest.options.rules import OptionRules
from services.local.backtest.options.trading import option_trades
from services.local.backtest.result import BacktestRequest
from services.local.backtest.trade import Trade
from services.local.backtest.underlying import trades_in_underlying


@dataclass(frozen=True, slots=True)
class Traded:
    """The trades of a backtest by entry, then symbol, and how many signals were not, by reason.

    `marks` has what each trade could be sold at while it was open; none where the candles tell it.
    """

    trades: tuple[Trade, ...]
    untraded: Mapping[str, int]
    marks: tuple[Marks, ...] = ()


class Trader(Protocol):
    """Trades the signals of several instruments; it can be sent to another process."""

    def __call__(
        self,
        request: BacktestRequest,
        histories: Sequence[CandleHistory],
        signals: Sequence[Sequence[StrategySignal]],
    ) -> Traded:
        """Trade the signals of each history, oldest first."""


@dataclass(frozen=True, slots=True)
class InUnderlying:
    """Trades the instrument itself, each for itself."""

    def __call__(
        self,
        request: BacktestRequest,
        histories: Sequence[CandleHistory],
        signals: Sequence[Sequence[StrategySignal]],
    ) -> Traded:
        """Trade the signals of each history, oldest first."""
        pairs = zip(histories, signals, strict=True)
        made = [trades_in_underlying(history, of_it, request) for history, of_it in pairs]
        untraded: Counter[str] = Counter()
        for one in made:
            untraded.update(one.untraded)
        trades = sorted((trade for one in made for trade in one.trades), key=_by_entry)
        return Traded(tuple(trades), dict(sorted(untraded.items())))


@dataclass(frozen=True, slots=True)
class InOptions:
    """Trades options of the instruments by the executor's rules and limits, over all together."""

    rules: OptionRules = field(default_factory=OptionRules)
    chains: RecordedChains | None = None

    def __call__(
        self,
        request: BacktestRequest,
        histories: Sequence[CandleHistory],
        signals: Sequence[Sequence[StrategySignal]],
    ) -> Traded:
        """Trade the signals of each history, oldest first."""
        made = option_trades(
            request,
            histories,
            [signal for of_it in signals for signal in of_it],
            load_rulebook(),
            load_calendar(),
            self.chains,
            rules=self.rules,
        )
        return Traded(made.trades, dict(sorted(made.refusals.items())), made.marks)


def _by_entry(trade: Trade) -> tuple[int, str]:
    return trade.entered_ms, trade.instrument
