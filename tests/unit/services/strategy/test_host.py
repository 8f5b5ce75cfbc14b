"""A failure while events are published is repaired by the redelivery of their batch."""

from collections.abc import Sequence
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.candles import Candle, CandleBatch, CandleColumns
from libs.events.control import StrategyStopped
from libs.events.event import Event, identity, utc_from_ms
from libs.events.signals import StrategySignal
from libs.strategy.harness import make_candles, signals_of
from libs.strategy.strategy import Strategy
from services.strategy.domain.host import StrategyHost

SYMBOLS = ("ITC", "RELIANCE", "SBIN")


class Always(Strategy):
    """Buys each candle."""

    name = "always"
    history_needed = 0

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        return self.buy(candle, stop_loss=1.0, target=2 * candle.close, confidence=0.7)


class Third(Always):
    """Signals each third candle: it shows when a candle is fed twice, or not at all."""

    name = "third"

    def __init__(self) -> None:
        self.seen = 0

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        self.seen += 1
        return super().on_candle(candle) if self.seen % 3 == 0 else None


class Breaks(Always):
    """Raises on the second candle of SBIN."""

    name = "breaks"

    def __init__(self) -> None:
        self.seen = 0

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        self.seen += 1
        if candle.tradingsymbol == "SBIN" and self.seen == 2:
            raise ZeroDivisionError("a bug")
        return super().on_candle(candle)


class Confused(Always):
    """Returns something that is not a signal."""

    name = "confused"

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        return cast(StrategySignal, {"action": "BUY"})


def batch(candles: Sequence[Candle]) -> CandleBatch:
    names = CandleColumns.model_fields
    event_id = identity("test batch", *(candle.candle_id for candle in candles))
    return CandleBatch(
        event_id=event_id,
        occurred_at=utc_from_ms(candles[0].closes_ms),
        trading_day=candles[0].trading_day,
        correlation_id=event_id,
        partition=0,
        interval="15m",
        source="live",
        columns=CandleColumns(**{n: tuple(getattr(c, n) for c in candles) for n in names}),
    )


def day(count: int) -> list[CandleBatch]:
    """As many batches, each with one candle of every symbol."""
    prices = [100.0] * count
    of_symbols = [make_candles(prices, tradingsymbol=symbol) for symbol in SYMBOLS]
    return [batch(candles) for candles in zip(*of_symbols, strict=True)]


def host() -> StrategyHost:
    return StrategyHost((Always, Breaks, Third))


def published(batches: Sequence[CandleBatch]) -> list[Event]:
    one = host()
    return [event for made in batches for event in one.on_event(made)]


def each_once(events: Sequence[Event]) -> list[Event]:
    """The events in order of id, each once; those with the same id have to be equal."""
    by_id: dict[str, Event] = {}
    for event in events:
        assert by_id.setdefault(str(event.event_id), event) == event
    return [by_id[event_id] for event_id in sorted(by_id)]


@given(st.lists(st.integers(0, 10), max_size=8))
def test_redelivery_repairs_a_publish_that_failed_anywhere(places: list[int]) -> None:
    batches, one, appeared = day(8), host(), list[Event]()
    for number, made in enumerate(batches):
        if number < len(places):
            appeared += one.on_event(made)[: places[number]]
        appeared += one.on_event(made)
    assert each_once(appeared) == each_once(published(batches))


@given(st.integers(0, 7), st.integers(0, 10))
def test_a_restart_repairs_a_publish_that_a_crash_interrupted(at: int, place: int) -> None:
    batches, first, second = day(8), host(), host()
    appeared = [event for made in batches[:at] for event in first.on_event(made)]
    appeared += first.on_event(batches[at])[:place]
    for made in batches[:at]:
        second.replay(made)
    appeared += [event for made in batches[at:] for event in second.on_event(made)]
    assert each_once(appeared) == each_once(published(batches))


def test_a_partition_that_is_assigned_again_is_fed_its_last_batch_again() -> None:
    batches, one = day(6), host()
    for made in batches[:4]:
        one.on_event(made)
    one.forget(0)
    for made in batches[:3]:
        one.replay(made)
    appeared = [event for made in batches[3:] for event in one.on_event(made)]
    assert [e for e in appeared if isinstance(e, StrategySignal) and e.strategy == "third"] == [
        e
        for e in published(batches)
        if isinstance(e, StrategySignal)
        and e.strategy == "third"
        and e.occurred_at >= batches[3].occurred_at
    ]


def test_a_replay_returns_no_signals() -> None:
    (made, *_), one = day(1), host()
    one.replay(made)
    assert one.on_event(made) == ()


def test_a_batch_that_cannot_be_read_changes_nothing() -> None:
    batches, one = day(3), host()
    columns = batches[0].columns.model_copy(update={"close": (100.0, 100.0)})
    damaged = batches[0].model_copy(update={"columns": columns})
    with pytest.raises(ValueError, match="shorter"):
        one.on_event(damaged)
    events = [event for made in batches for event in one.on_event(made)]
    assert events == published(batches)


def test_all_events_are_returned_before_any_is_published() -> None:
    assert isinstance(host().on_event(day(1)[0]), tuple)
    assert isinstance(host().started(day(1)[0].trading_day, 0), tuple)


def test_a_strategy_that_returns_no_signal_is_stopped_and_the_others_go_on() -> None:
    one = StrategyHost((Confused, Always))
    events = [event for made in day(2) for event in one.on_event(made)]
    (stopped,) = [event for event in events if isinstance(event, StrategyStopped)]
    assert stopped.strategy == "confused"
    assert "returned a dict, not a StrategySignal or None" in stopped.reason
    assert len(events) == 1 + 2 * len(SYMBOLS)


def test_the_harness_and_the_host_get_the_same_signals_of_a_strategy() -> None:
    candles = make_candles([100.0] * 10)
    one = StrategyHost((Third,))
    heard = [event for candle in candles for event in one.on_event(batch([candle]))]
    assert heard == list(signals_of(Third(), candles))
    assert len(heard) == 3


def test_a_strategy_that_was_stopped_is_known_by_name() -> None:
    one = StrategyHost((Confused, Always))
    assert one.stopped() == {"confused": False, "always": False}
    one.on_event(day(1)[0])
    assert one.stopped() == {"confused": True, "always": False}
