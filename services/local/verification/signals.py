"""Which signals the strategies of the settings would have given on other candles."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from libs.errors import AlphaStocksError
from libs.events.candles import Candle, CandleBatch, CandleColumns
from libs.events.control import StrategyStopped
from libs.events.signals import StrategySignal
from services.strategy.domain.host import StrategyHost
from services.strategy.domain.patches import at_close
from services.strategy.domain.strategy_run import MakeStrategy

_LEVELS = ("price", "stop_loss", "target")


@dataclass(frozen=True, slots=True)
class ChangedSignal:
    """A signal on our candles, on the broker's, or on both with other levels."""

    ours: StrategySignal | None
    brokers: StrategySignal | None

    @property
    def either(self) -> StrategySignal:
        """The signal, whichever there is."""
        found = self.ours or self.brokers
        if found is None:
            raise ValueError("a changed signal without a signal")
        return found

    @property
    def what(self) -> str:
        """What the broker's candles would have changed, in words."""
        if self.brokers is None:
            return "would not have been given"
        if self.ours is None:
            return "was missed"
        pairs = [(name, getattr(self.ours, name), getattr(self.brokers, name)) for name in _LEVELS]
        changed = [f"{name} {ours:.2f} → {new:.2f}" for name, ours, new in pairs if ours != new]
        return ", ".join(changed)


class StrategyFailed(AlphaStocksError):
    """A strategy of the settings that stops on these candles; the text says where."""


def signals_on(
    makers: Sequence[MakeStrategy], history: Iterable[Candle], day: Iterable[Candle]
) -> list[StrategySignal]:
    """Return the signals of a day after its history, as the strategy service gives them.

    Raises StrategyFailed for one that raises.
    """
    host = StrategyHost(tuple(makers))
    host.warm(sorted(history, key=at_close))
    made: list[StrategySignal] = []
    for batch in _batches(day):
        for event in host.on_event(batch):
            if isinstance(event, StrategyStopped):
                raise StrategyFailed(f"{event.strategy}: {event.reason}")
            if isinstance(event, StrategySignal):
                made.append(event)
    return made


def changed_signals(
    ours: Iterable[StrategySignal], brokers: Iterable[StrategySignal]
) -> list[ChangedSignal]:
    """Return the signals that differ, by the close of their candle."""
    mine = {one.event_id: one for one in ours}
    theirs = {one.event_id: one for one in brokers}
    pairs = [ChangedSignal(mine.get(one), theirs.get(one)) for one in mine.keys() | theirs.keys()]
    changed = [one for one in pairs if _is_other(one)]
    return sorted(changed, key=lambda one: (one.either.candle_closed_at, str(one.either.event_id)))


def _is_other(pair: ChangedSignal) -> bool:
    if pair.ours is None or pair.brokers is None:
        return True
    return any(getattr(pair.ours, name) != getattr(pair.brokers, name) for name in _LEVELS)


def _batches(candles: Iterable[Candle]) -> Iterator[CandleBatch]:
    """Yield live candles of revision 0 as they close, the shorter interval first."""
    live = sorted((one._replace(source="live", revision=0) for one in candles), key=_by_key)
    for (closes_ms, _, _), group in groupby(live, key=_at_once):
        rows = list(group)
        day, columns = rows[0].trading_day, CandleColumns.of(rows)
        yield CandleBatch.live(0, rows[0].interval, closes_ms, day, columns)


def _at_once(candle: Candle) -> tuple[int, int, int]:
    return (*at_close(candle), candle.opened_ms)


def _by_key(candle: Candle) -> tuple[int, int, int, str]:
    return (*_at_once(candle), candle.key)
