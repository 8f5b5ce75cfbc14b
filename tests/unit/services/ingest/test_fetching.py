"""History from a broker: only what is missing is asked for, and a kill loses nothing."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from libs.broker.errors import BrokerError, ReplyUnreadable, RequestRefused, SessionExpired
from libs.broker.port.market import HistoricalCandle
from libs.events.candles import CandleBatch, HistoryFetched, Interval
from libs.events.control import HistoryLoaded
from libs.events.embedded.bus import LocalBus
from libs.events.event import Event, ms_from_utc
from libs.market.calendar import IST, load_calendar
from libs.market.instruments import Instrument
from libs.runtime.clock import FeedClock
from libs.runtime.metrics import Metrics
from libs.runtime.service import Parts
from libs.store.store import Params
from services.candle.domain.rows import historical_data, history_fetched
from services.ingest import asking
from services.ingest.domain.history import HistoryRules
from services.ingest.feed import BrokerHistory
from services.ingest.fetching import HistoryFetcher
from services.ingest.loading import Loading
from services.simulator.domain.market.underlyings import DEFAULT_UNIVERSE
from tests.unit.fakes import ForgetfulStore
from tests.unit.services.ingest.contracts import CRUDE_JULY, make_contract

MONDAY, TUESDAY, WEDNESDAY = (date(2026, 6, day) for day in (15, 16, 17))
SBIN = next(one.instrument() for one in DEFAULT_UNIVERSE if one.tradingsymbol == "SBIN")
ITC = next(one.instrument() for one in DEFAULT_UNIVERSE if one.tradingsymbol == "ITC")
CRUDE = make_contract("MCX", "CRUDEOIL", CRUDE_JULY)
EARLY = datetime(2026, 6, 17, 8, 30, tzinfo=IST)


class Killed(Exception):
    """The process ends here."""


class Busy(BrokerError):
    """A retriable error."""

    is_retriable = True


@dataclass
class Broker:
    """Has each quarter of an hour of a session, but for holes; troubles come before the answers."""

    holes: frozenset[date] = frozenset()
    troubles: list[Exception] = field(default_factory=list)
    asked: list[tuple[int, Interval, datetime, datetime]] = field(default_factory=list)

    async def candles(
        self, instrument_token: int, interval: Interval, from_at: datetime, to_at: datetime
    ) -> Sequence[HistoricalCandle]:
        if self.troubles:
            raise self.troubles.pop(0)
        self.asked.append((instrument_token, interval, from_at, to_at))
        days = [day for day in (MONDAY, TUESDAY, WEDNESDAY) if day not in self.holes]
        opens = [datetime(day.year, day.month, day.day, 9, 15, tzinfo=IST) for day in days]
        every = [at + timedelta(minutes=15 * number) for at in opens for number in range(25)]
        return [
            HistoricalCandle(at, open=1.0, high=2.0, low=1.0, close=2.0, volume=5)
            for at in every
            if from_at <= at <= to_at
        ]


@dataclass
class Tables(ForgetfulStore):
    """Keeps what the candle service's writers make of events, and answers ingest's two queries."""

    candles: dict[tuple[Any, ...], date] = field(default_factory=dict)
    fetched: dict[tuple[Any, ...], int] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        rows = historical_data(event)
        for row in zip(*rows.values(), strict=True):
            one = dict(zip(rows, row, strict=True))
            key = (one["exchange"], one["tradingsymbol"], one["expiry"], one["interval"])
            self.candles[*key, int(one["opened_at"])] = one["trading_day"]
        rows = history_fetched(event)
        for row in zip(*rows.values(), strict=True):
            one = dict(zip(rows, row, strict=True))
            key = (one["exchange"], one["tradingsymbol"], one["expiry"], one["interval"])
            asked = (*key, one["trading_day"], one["origin"], one["asked_on"])
            self.fetched[asked] = one["candles"]

    async def query(self, sql: str, params: Params | None = None) -> dict[str, list[Any]]:
        given = dict(params or {})
        rows = self._stored() if "historical_data" in sql else self._asked(given["origin"])
        names = ("exchange", "tradingsymbol", "expiry", "interval", "trading_day")
        more = ("stored",) if "historical_data" in sql else ("had", "asked")
        return dict(zip((*names, *more), map(list, zip(*rows, strict=True)), strict=False))

    def _stored(self) -> list[tuple[Any, ...]]:
        days: dict[tuple[Any, ...], int] = {}
        for key, day in self.candles.items():
            days[*key[:4], day] = days.get((*key[:4], day), 0) + 1
        return [(*key, count) for key, count in days.items()]

    def _asked(self, origin: object) -> list[tuple[Any, ...]]:
        mine = {key: had for key, had in self.fetched.items() if key[5] == origin}
        return [
            (*key, max(had for one, had in mine.items() if one[:5] == key), len(later))
            for key in {one[:5] for one in mine}
            for later in ([one for one in mine if one[:5] == key and one[6] > one[4]],)
        ]


def fetcher(
    broker: Broker,
    store: Tables | None,
    day: date,
    at: datetime,
    origin: str = "kite",
    instruments: Sequence[Instrument] = (SBIN, ITC),
) -> HistoryFetcher:
    rules = HistoryRules(days=2, intervals=("15m",))
    history = BrokerHistory(broker, instruments, rules, origin, lambda: ms_from_utc(at))
    parts = Parts(LocalBus(), FeedClock(), Metrics("ingest"), store)
    return HistoryFetcher(history, day, parts, load_calendar(), 1)


def loaded(
    broker: Broker,
    store: Tables | None = None,
    day: date = WEDNESDAY,
    at: datetime = EARLY,
    origin: str = "kite",
    instruments: Sequence[Instrument] = (SBIN, ITC),
) -> HistoryLoaded:
    """Load a day's history into the tables; return what is announced at its end."""
    events: list[Event] = []

    async def emit(*given: Event) -> None:
        events.extend(given)
        for event in given:
            if store is not None:
                store.take(event)

    asyncio.run(fetcher(broker, store, day, at, origin, instruments).load(emit))
    last = events[-1]
    assert isinstance(last, HistoryLoaded)
    return last


def test_what_is_stored_is_not_asked_for_again() -> None:
    broker, store = Broker(), Tables()
    first = loaded(broker, store)
    assert (first.days, first.candles, first.gaps) == ((MONDAY, TUESDAY), 100, ())
    assert [token for token, *_ in broker.asked] == [SBIN.instrument_token, ITC.instrument_token]
    assert broker.asked[0][2:] == (
        datetime(2026, 6, 15, tzinfo=IST),
        datetime(2026, 6, 16, 23, 59, 59, tzinfo=IST),
    )
    again = loaded(broker, store)
    assert len(broker.asked) == 2
    assert (again.days, again.candles) == (first.days, first.candles)


def test_without_a_store_all_is_asked_for_each_time() -> None:
    broker = Broker()
    assert loaded(broker) == loaded(broker)
    assert len(broker.asked) == 4


def test_the_history_of_another_market_is_not_taken_for_this_ones() -> None:
    broker, store = Broker(), Tables()
    loaded(broker, store, origin="kite http://127.0.0.1:8765")
    loaded(broker, store)
    assert len(broker.asked) == 4


def test_a_kill_between_two_requests_loses_only_the_rest() -> None:
    broker, store = Broker(), Tables()

    async def story() -> None:
        async def emit(*given: Event) -> None:
            for event in given:
                if isinstance(event, CandleBatch | HistoryFetched):
                    store.take(event)
                    if isinstance(event, HistoryFetched):
                        raise Killed

        await fetcher(broker, store, WEDNESDAY, EARLY).load(emit)

    with pytest.raises(Killed):
        asyncio.run(story())
    assert loaded(broker, store).candles == 100
    assert [token for token, *_ in broker.asked] == [SBIN.instrument_token, ITC.instrument_token]


def test_a_hole_that_the_broker_has_is_told_each_day_and_asked_for_twice() -> None:
    broker, store = Broker(holes=frozenset({MONDAY})), Tables()
    for day, asked in ((16, 2), (17, 4), (17, 4)):
        today = date(2026, 6, day)
        said = loaded(broker, store, today, datetime(2026, 6, day, 8, tzinfo=IST))
        assert "2026-06-15: no candles" in said.gaps
        assert sum(one[2].date() <= MONDAY <= one[3].date() for one in broker.asked) == asked


def test_a_start_within_the_session_asks_for_todays_closed_candles() -> None:
    broker, store = Broker(), Tables()
    at = datetime(2026, 6, 17, 11, 30, 4, tzinfo=IST)
    said = loaded(broker, store, at=at)
    assert said.days == (MONDAY, TUESDAY, WEDNESDAY)
    assert said.candles == 2 * (25 + 25 + 8), "the candle of 11:15 has closed just now"
    loaded(broker, store, at=at + timedelta(seconds=1))
    assert [one[2].date() for one in broker.asked] == [MONDAY, MONDAY, WEDNESDAY, WEDNESDAY]
    day = [opened for key, opened in store.candles.items() if opened == WEDNESDAY]
    assert len(day) == 18


@pytest.mark.parametrize(("instrument", "opens"), [(CRUDE, (17, 0)), (SBIN, (0, 0))])
def test_on_a_holiday_of_shares_history_is_of_the_evening_or_of_the_day(
    instrument: Instrument, opens: tuple[int, int]
) -> None:
    at = datetime(2026, 6, 26, 16, 20, tzinfo=IST)
    said = loaded(Broker(), None, at.date(), at, instruments=[instrument])
    assert said.occurred_at.astimezone(IST) == at.replace(hour=opens[0], minute=opens[1])
    assert said.gaps == ("2026-06-24 to 2026-06-25: no candles",)


def test_what_the_broker_refuses_is_a_gap_and_not_remembered() -> None:
    broker, store = Broker(troubles=[RequestRefused("invalid token")]), Tables()
    said = loaded(broker, store)
    assert said.candles == 50
    assert said.gaps[0] == "2026-06-15: 25 of 50 15m candles are missing"
    assert loaded(broker, store).gaps == ()


def test_candles_that_cannot_be_read_are_a_gap_and_end_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asking, "ATTEMPTS", 1)
    broker, store = Broker(troubles=[ReplyUnreadable("no price")] * 2), Tables()
    assert loaded(broker, store).candles == 50
    assert loaded(broker, store).gaps == ()


@dataclass
class Wrong(Broker):
    """Gives what `change` makes of its candles."""

    change: Callable[[list[HistoricalCandle]], list[HistoricalCandle]] = list

    async def candles(
        self, instrument_token: int, interval: Interval, from_at: datetime, to_at: datetime
    ) -> Sequence[HistoricalCandle]:
        return self.change(list(await super().candles(instrument_token, interval, from_at, to_at)))


def test_candles_that_a_broker_gives_twice_and_in_any_order_count_once() -> None:
    store = Tables()
    said = loaded(Wrong(change=lambda candles: [*candles[30:], *candles]), store)
    assert (said.candles, said.gaps) == (100, ())
    assert set(store.fetched.values()) == {25}
    again = Broker()
    assert loaded(again, store).candles == 100
    assert again.asked == []


def test_candles_of_another_interval_are_refused() -> None:
    def shorter(candles: list[HistoricalCandle]) -> list[HistoricalCandle]:
        halves = [replace(one, opened_at=one.opened_at + timedelta(minutes=5)) for one in candles]
        return [*candles, *halves]

    store = Tables()
    assert loaded(Wrong(change=shorter), store).candles == 0
    assert (store.candles, store.fetched) == ({}, {})


def test_retriable_errors_are_retried() -> None:
    broker = Broker(troubles=[Busy("429"), Busy("429")])
    assert loaded(broker).candles == 100


def test_the_feed_waits_so_long_and_the_rest_is_loaded_beside_it() -> None:
    async def story() -> None:
        loads, is_free, slept = list[str](), asyncio.Event(), list[float]()
        troubles: list[BrokerError] = [SessionExpired("log in"), Busy("no answer")]

        async def load() -> None:
            await is_free.wait()
            if troubles:
                raise troubles.pop(0)
            loads.append("all")

        async def sleep(seconds: float) -> None:
            slept.append(seconds)

        loading = Loading(sleep)
        await loading.begin(load, 0.0)
        assert loads == []
        is_free.set()
        await loading.rest()
        assert (loads, len(slept)) == (["all"], 2)
        await loading.begin(load, None)
        assert loads == ["all", "all"]

    asyncio.run(story())
