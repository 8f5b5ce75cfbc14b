"""A host that is assigned a partition gives the signals of one that had it all day."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from libs.events.candles import Candle, CandleBatch, CandleColumns
from libs.events.event import Event, identity, ms_from_utc, utc_from_ms
from libs.market.calendar import load_calendar
from services.strategy.domain.host import StrategyHost
from services.strategy.domain.registry import make_strategy
from services.strategy.finding import known_strategies
from tests.proofs import examples

DAY = date(2026, 6, 10)
OPEN_MS = ms_from_utc(load_calendar().sessions("NSE", DAY)[0].opens_at)
FIVE_MS = 300_000
SYMBOLS = (("SBIN", "ITC"), ("RELIANCE",))
"""By partition."""
CHOICES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("ma_crossover", {"interval": "5m", "fast": 1, "slow": 2, "history_needed": 2}),
    ("ma_crossover", {"interval": "5m", "fast": 2, "slow": 4, "history_needed": 4}),
)
closes = st.lists(st.integers(1, 6), min_size=3, max_size=3)
days = st.lists(closes, min_size=1, max_size=14)


def host() -> StrategyHost:
    known = known_strategies()
    return StrategyHost(
        tuple(lambda name=n, p=p: make_strategy(name, p, known) for n, p in CHOICES)  # type: ignore[misc]
    )


def batch(partition: int, number: int, closed: Sequence[int], revision: int = 0) -> CandleBatch:
    """The candles of a partition's symbols that are the day's `number`th."""
    names = SYMBOLS[partition]
    opened_ms, event_id = OPEN_MS + number * FIVE_MS, identity("test", partition, number, revision)
    same: dict[str, Any] = {
        "exchange": "NSE",
        "expiry": None,
        "instrument_token": 1,
        "opened_ms": opened_ms,
        "closes_ms": opened_ms + FIVE_MS,
        "volume": 1,
        "vwap": None,
        "ticks": 1,
        "oi": 0,
        "cumulative_volume": 1,
        "revision": revision,
    }
    prices = tuple(100.0 + one for one in closed[: len(names)])
    columns = {name: (value,) * len(names) for name, value in same.items()}
    columns |= dict.fromkeys(("open", "high", "low", "close"), prices)
    return CandleBatch(
        event_id=event_id,
        occurred_at=utc_from_ms(opened_ms + FIVE_MS),
        trading_day=DAY,
        correlation_id=event_id,
        partition=partition,
        interval="5m",
        source="live",
        columns=CandleColumns(tradingsymbol=names, **columns),
    )


def day_of(closed: Sequence[Sequence[int]]) -> list[CandleBatch]:
    """Both partitions' candles, five minutes after five minutes; some are revised later."""
    batches = []
    for number, mine in enumerate(closed):
        batches += [batch(0, number, mine[:2]), batch(1, number, mine[2:])]
        if mine[0] == 6:
            batches.append(batch(0, number, (1, 1), revision=1))
    return batches


def history(closed: Sequence[Sequence[int]]) -> list[Candle]:
    """Yesterday's candles of all symbols."""
    before = timedelta(days=1) // timedelta(milliseconds=1)
    return [
        Candle(
            **{
                **{name: getattr(candle, name) for name in Candle._fields},
                "opened_ms": candle.opened_ms - before,
                "closes_ms": candle.closes_ms - before,
            }
        )
        for made in day_of(closed)
        for candle in made.candles()
        if candle.revision == 0
    ]


@examples(25)
@given(days, days, st.integers(0, 28), st.integers(0, 1), st.booleans())
def test_a_partition_that_moved_gives_the_same_signals(
    before: list[list[int]], today: list[list[int]], handled: int, moved: int, knew_it: bool
) -> None:
    steady, taking = host(), host()
    for one in (steady, taking):
        one.warm(history(before))
    batches = day_of(today)
    for number, made in enumerate(batches[:handled]):
        steady.on_event(made)
        # a member that lost the partition for a while has seen a part of it
        if made.partition != moved or (knew_it and number < handled // 2):
            taking.on_event(made)
    taking.forget(moved)
    for made in batches[:handled]:
        if made.partition == moved:
            taking.replay(made)
    assert _signals(taking, batches[handled:]) == _signals(steady, batches[handled:])


def _signals(one: StrategyHost, batches: Sequence[CandleBatch]) -> list[Event]:
    return [event for made in batches for event in one.on_event(made)]


def test_such_a_day_has_signals() -> None:
    one = host()
    one.warm(history([[3, 3, 3]] * 5))
    assert len(_signals(one, day_of([[1, 1, 1], [6, 6, 6], [1, 1, 1], [6, 6, 6]]))) > 3
