"""What the rules remember of a session: signals that were seen, and those that passed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from libs.events.signals import SignalFields, SignalGenerated, StrategySignal
from libs.market.instruments import underlying_name
from services.signal.domain.rules.rule import Standing

Key = tuple[object, ...]


@dataclass(slots=True)
class Session:
    """The signals of one trading day, by the ids of the strategies' signals."""

    _seen: set[UUID] = field(default_factory=set)
    _last: dict[Key, SignalGenerated] = field(default_factory=dict)
    _passed: dict[str, dict[UUID, SignalGenerated]] = field(default_factory=dict)

    def has_seen(self, signal: StrategySignal) -> bool:
        """Return whether a signal was validated or refused before."""
        return signal.event_id in self._seen

    def see(self, strategy_signal_id: UUID) -> None:
        """Note that a signal was validated or refused."""
        self._seen.add(strategy_signal_id)

    def passed(self, signal: StrategySignal) -> SignalGenerated | None:
        """Return what was published of a signal, None if it has not passed."""
        return self._of(signal).get(signal.event_id)

    def note(self, generated: SignalGenerated) -> None:
        """Note a signal that passed."""
        self._last[_key(generated)] = generated
        if generated.causation_id is not None:
            name = underlying_name(generated.underlying)
            self._passed.setdefault(name, {})[generated.causation_id] = generated

    def standing(self, signal: StrategySignal, now_ms: int) -> Standing:
        """Return what came before a signal."""
        return Standing(now_ms, self._last.get(_key(signal)), len(self._of(signal)))

    def _of(self, signal: StrategySignal) -> Mapping[UUID, SignalGenerated]:
        """Return what passed on a signal's underlying."""
        return self._passed.get(underlying_name(signal.underlying), {})


@dataclass(slots=True)
class Sessions:
    """The sessions of the latest two trading days: signals of the last may still be repeated."""

    _by_day: dict[date, Session] = field(default_factory=dict)

    @property
    def first_day(self) -> date:
        """The first day that is remembered; date.min before the second one."""
        return min(self._by_day) if len(self._by_day) > 1 else date.min

    @property
    def last_day(self) -> date | None:
        """The latest trading day, None before the first."""
        return max(self._by_day, default=None)

    def holds(self, day: date) -> bool:
        """Return whether every signal of a day is remembered, also of one that is to come."""
        return day in self._by_day or (self.last_day is not None and day > self.last_day)

    def of(self, day: date) -> Session:
        """Return the session of a day; of one that is forgotten an empty one, which is not kept."""
        session = self._by_day.get(day)
        if session is None:
            session = self._by_day[day] = Session()
            if len(self._by_day) > 2:
                del self._by_day[min(self._by_day)]
        return session


def _key(signal: SignalFields) -> Key:
    """Return the key of duplicates: the symbol, and the strategy with its parameters."""
    parameters = tuple(sorted(signal.parameters.items()))
    return signal.tradingsymbol, signal.strategy, signal.strategy_version, parameters
