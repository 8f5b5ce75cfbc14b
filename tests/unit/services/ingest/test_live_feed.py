"""The feed of a broker, with fakes of its market data and stream."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from libs.broker.errors import BrokerError, DumpRefused, RequestRefused, SessionExpired
from libs.broker.port.market import HistoricalCandle, LastQuote, Mode
from libs.events.candles import Interval
from libs.events.event import ms_from_utc
from libs.events.ticks import TickColumns
from libs.market.calendar import IST, load_calendar
from libs.market.dump import Dump
from libs.market.instruments import Instrument
from libs.market.rulebook import load_rulebook
from libs.runtime.logs import configure_logs
from libs.runtime.metrics import Metrics
from libs.runtime.settings import SettingsError
from services.ingest import sockets
from services.ingest.day_log import SHOWN, DayLog
from services.ingest.domain.history import HistoryRules
from services.ingest.domain.universe_rules import UniverseRules
from services.ingest.feed import Backfill, Frame
from services.ingest.live_feed import LiveFeed
from services.simulator.domain.market.synthetic import SyntheticMarket

DAY = date(2026, 6, 17)
CALENDAR = load_calendar()
SESSION = CALENDAR.sessions("NSE", DAY)[0]
OPEN = SESSION.open_ms
MARKET = SyntheticMarket(7, DAY, CALENDAR, load_rulebook())
NIFTY = next(one for one in MARKET.underlyings if one.tradingsymbol == "NIFTY 50")


class Busy(BrokerError):
    """A retriable error."""

    is_retriable = True


@dataclass
class Account:
    """Answers requests; the first answers may be errors."""

    troubles: int = 0
    stamp: datetime = datetime(2026, 6, 17, 9, 14, 59, tzinfo=IST)
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    is_closed: bool = False
    left_out: tuple[str, ...] = ()
    refused: BrokerError | None = None
    gone: frozenset[int] = frozenset()
    renamed: dict[str, str] = field(default_factory=dict)
    dumps: int = 0
    polled: list[list[str]] = field(default_factory=list)
    no_quotes: BrokerError | None = None
    quoted_ms: int = 0

    async def instruments(self, exchange: str) -> Dump:
        self.dumps += 1
        if self.refused is not None and exchange == "NFO":
            raise self.refused
        listed = (one for one in MARKET.instruments if one.exchange == exchange)
        kept = (
            replace(one, tradingsymbol=self.renamed.get(one.tradingsymbol, one.tradingsymbol))
            for one in listed
            if one.instrument_token not in self.gone
        )
        return Dump(tuple(kept), self.left_out if exchange == "NSE" else ())

    async def quotes(self, keys: Collection[str]) -> dict[str, LastQuote]:
        if self.troubles:
            self.troubles -= 1
            raise Busy("429 for a moment")
        price = MARKET.spots(SESSION.open_ms)["NIFTY 50"]
        quote = LastQuote(NIFTY.instrument_token, price, ms_from_utc(self.stamp))
        return dict.fromkeys(keys, quote)

    async def ticks(self, keys: Collection[str], without_time_ms: int) -> TickColumns:
        self.polled.append(sorted(keys))
        if self.no_quotes is not None:
            raise self.no_quotes
        tokens = {one.key: one.instrument_token for one in MARKET.instruments}
        return TickColumns(
            instrument_token=np.array([tokens[key] for key in keys], "<u4"),
            exchange_timestamp=np.full(len(keys), self.quoted_ms or without_time_ms, "<i8"),
            last_price=np.full(len(keys), 100.0),
        )

    async def candles(
        self, instrument_token: int, interval: Interval, from_at: datetime, to_at: datetime
    ) -> list[HistoricalCandle]:
        self.asked.append((instrument_token, interval, from_at, to_at))
        at = datetime(2026, 6, 16, 9, 15, tzinfo=IST)
        first = HistoricalCandle(at, open=1.0, high=2.0, low=1.0, close=2.0, volume=0)
        return [replace(first, opened_at=at + timedelta(minutes=15 * n)) for n in range(25)]

    async def close(self) -> None:
        self.is_closed = True


@dataclass
class Ticks:
    """A frame of NIFTY's price at a time; without a price a heartbeat."""

    at_ms: int
    price: float | None = None
    is_garbage: bool = False
    token: int = NIFTY.instrument_token
    has_time: bool = True

    def __len__(self) -> int:
        return self.price is not None

    def columns(self, received_ms: int) -> TickColumns:
        if self.price is None:
            return TickColumns.empty()
        return TickColumns(
            instrument_token=np.array([self.token], "<u4"),
            exchange_timestamp=np.array([self.at_ms if self.has_time else received_ms], "<i8"),
            last_price=np.array([self.price]),
        )


@dataclass
class Stream:
    """A websocket that sends what the test wants and remembers what it is subscribed to."""

    sent: Sequence[Ticks] = ()
    tokens: set[int] = field(default_factory=set)
    history: list[set[int]] = field(default_factory=list)
    is_closed: bool = False
    refusals: int = 0
    ended: int = 0
    replaced: int = 0
    before_each: Callable[[], None] = lambda: None
    modes: dict[int, Mode] = field(default_factory=dict)

    async def subscribe(self, tokens: Collection[int], mode: Mode) -> None:
        self.tokens |= set(tokens)
        self.modes |= dict.fromkeys(tokens, mode)

    @property
    def open_seconds(self) -> float:
        return 3600.0

    def counts(self) -> dict[str, int]:
        return {"silences": self.replaced}

    async def unsubscribe(self, tokens: Collection[int]) -> None:
        self.tokens -= set(tokens)

    async def frames(self) -> AsyncGenerator[Ticks]:
        if self.refusals:
            self.refusals -= 1
            raise SessionExpired("Kite refuses the session: run `alphastocks login`")
        try:
            for frame in self.sent:
                self.before_each()
                self.history.append(set(self.tokens))
                yield frame
        finally:
            self.ended += 1

    async def replace(self) -> None:
        self.replaced += 1

    async def close(self) -> None:
        self.is_closed = True


def feed_of(account: Account, stream: Stream) -> LiveFeed:
    rules = UniverseRules(("NSE:NIFTY 50",), expiries=1, near_strikes=1)
    history = HistoryRules(days=2, intervals=("15m",))
    return LiveFeed(account, lambda: stream, rules, history, CALENDAR, "kite", clock="feed")


def played(stream: Stream, follow: Sequence[int] = ()) -> list[Frame]:
    async def story() -> list[Frame]:
        feed = feed_of(Account(), stream)
        await feed.open()
        await feed.instruments()
        frames = []
        async for frame in feed.frames():
            frames.append(frame)
            feed.follow(follow)
        await feed.close()
        return frames

    return asyncio.run(story())


def at(seconds: int, price: float | None = 25_000.0) -> Ticks:
    return Ticks(SESSION.open_ms + seconds * 1000, price)


def test_with_the_feeds_clock_the_day_is_that_of_the_exchange() -> None:
    async def story() -> date:
        feed = feed_of(Account(), Stream())
        await feed.open()
        return feed.trading_day

    assert asyncio.run(story()) == DAY


def test_a_closed_day_is_refused_with_the_reason() -> None:
    feed = feed_of(Account(stamp=datetime(2026, 6, 14, 10, tzinfo=IST)), Stream())
    with pytest.raises(SettingsError, match="closed on 2026-06-14 \\(Sunday\\)"):
        asyncio.run(feed.open())


def test_retriable_errors_are_retried() -> None:
    account = Account(troubles=2)
    asyncio.run(feed_of(account, Stream()).open())
    assert account.troubles == 0


def test_underlyings_and_their_options_are_listed_and_the_underlyings_have_history() -> None:
    async def story() -> tuple[Sequence[Instrument], Backfill]:
        feed = feed_of(Account(), Stream())
        await feed.open()
        return await feed.instruments(), await feed.backfill(1)

    listed, backfill = asyncio.run(story())
    assert listed[0] == NIFTY
    assert {one.name for one in listed[1:]} == {"NIFTY"}
    broker = backfill.broker
    assert broker is not None
    assert (list(broker.instruments), broker.origin, broker.waits) == ([NIFTY], "kite", True)
    assert broker.now_ms() == ms_from_utc(Account().stamp)


def log_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return what was logged, as it is written where there is no terminal."""
    text = capsys.readouterr().err
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def listed_twice(account: Account, underlyings: tuple[str, ...]) -> Metrics:
    """Open a day, and again as after a failure; return what was measured."""
    metrics = Metrics("ingest")
    configure_logs("info", "json")

    async def story() -> None:
        feed = replace(
            feed_of(account, Stream()),
            rules=UniverseRules(underlyings, expiries=1, near_strikes=1),
            day_log=DayLog(metrics.feed),
        )
        for _ in range(2):
            await feed.open()
            await feed.instruments()

    asyncio.run(story())
    return metrics


def measured(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"alphastocks_{name}", labels)


def test_rows_of_the_dump_that_were_left_out_are_named_once_and_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = tuple(f"line {n}, column tradingsymbol: cannot read ''" for n in range(SHOWN + 3))
    metrics = listed_twice(Account(left_out=rows), ("NSE:NIFTY 50",))
    assert measured(metrics, "dump_rows_left_out_total") == SHOWN + 3
    told = [line for line in log_lines(capsys) if line["event"].startswith("left out")]
    assert [line["exchange"] for line in told] == ["NSE"] * (SHOWN + 1)
    assert told[0]["row"] == "line 0, column tradingsymbol: cannot read ''"
    assert told[-1]["rows"] == 3


def test_an_instrument_that_is_not_listed_alarms_and_the_others_are_followed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    metrics = listed_twice(Account(), ("NSE:NIFTY 50", "NSE:NIFTY BANK", "NSE:TATAMOTORZ"))
    assert measured(metrics, "missing_instruments", instrument="NSE:TATAMOTORZ") == 1
    assert measured(metrics, "missing_instruments", instrument="NSE:NIFTY 50") == 0
    (told,) = [line for line in log_lines(capsys) if line["level"] == "error"]
    assert (told["event"], told["instrument"]) == ("not followed", "NSE:TATAMOTORZ")
    assert "is not in the instrument dump of the day" in told["reason"]


def test_a_dump_of_which_most_cannot_be_read_is_refused_at_once_in_one_line() -> None:
    account = Account(refused=DumpRefused("Kite's instruments: 9 of 10 rows cannot be read"))
    said = "the instrument dump of NFO is refused: Kite's instruments: 9 of 10 rows cannot be read"
    with pytest.raises(SettingsError, match=said):
        listed_twice(account, ("NSE:NIFTY 50",))
    assert account.dumps == 2, "NSE, and NFO once"


def test_an_exchange_that_the_broker_does_not_list_leaves_the_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    account = Account(refused=RequestRefused("no instruments of exchange NFO"))
    listed_twice(account, ("NSE:NIFTY 50",))
    first, second = log_lines(capsys)
    assert (first["event"], first["exchange"]) == ("the broker lists no instruments", "NFO")
    assert (second["event"], second["underlying"]) == ("no options are listed", "NSE:NIFTY 50")


def test_a_universe_of_which_nothing_is_listed_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match="nothing can be followed: NSE:TATAMOTORZ is not in"):
        listed_twice(Account(), ("NSE:TATAMOTORZ",))


def test_a_share_that_is_renamed_overnight_is_named_as_it_is_listed_now(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs("info", "json")

    async def story() -> None:
        account = Account()
        rules = UniverseRules(("NSE:NIFTY 50", "NSE:SBIN"), expiries=1, near_strikes=1)
        feed = replace(feed_of(account, Stream()), rules=rules)
        for symbol in ("SBIN", "STBK"):
            account.renamed = {"SBIN": symbol}
            await feed.open()
            await feed.instruments()

    asyncio.run(story())
    (told,) = [line for line in log_lines(capsys) if line["level"] == "error"]
    assert told["instrument"] == "NSE:SBIN"
    assert told["reason"].endswith("it is listed as 'NSE:STBK' now")


def test_a_contract_that_is_no_longer_listed_is_no_longer_subscribed_to() -> None:
    end = Ticks(SESSION.close_ms + 3000, 25_000.0)

    async def story() -> tuple[set[int], set[int]]:
        account, stream = Account(), Stream([at(1), end])
        feed = feed_of(account, stream)
        followed = []
        for _ in range(2):
            await feed.open()
            await feed.instruments()
            assert [frame async for frame in feed.frames()]
            followed.append(set(stream.tokens))
            account.gone = frozenset(sorted(followed[0] - {NIFTY.instrument_token})[:1])
        assert account.gone
        assert account.gone < followed[0]
        return followed[1], set(account.gone)

    followed, gone = asyncio.run(story())
    assert not followed & gone


def test_frames_carry_the_feeds_time_and_end_after_the_close() -> None:
    close = (SESSION.close_ms - SESSION.open_ms) // 1000
    beats = [at(0, None), at(1), at(1, None), at(close + 2), at(close + 3), at(close + 4)]
    frames = played(Stream(beats))
    times = [(frame.received_ms - SESSION.open_ms) // 1000 for frame in frames]
    assert times == [1, 1, close + 2, close + 3]
    assert [len(frame.columns) for frame in frames] == [1, 0, 1, 1]


def test_a_feed_whose_session_has_ended_waits_for_a_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sockets, "SESSION_SECONDS", 0.01)
    assert len(played(Stream([at(1), at(2)], refusals=3))) == 2


def test_while_it_waits_for_a_session_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "SESSION_SECONDS", 0.01)

    async def story() -> None:
        feed = feed_of(Account(), Stream([at(1)], refusals=1))
        waited_for: list[str] = []

        async def sleep(_: float) -> None:
            waited_for.append(feed.waiting.reason)

        monkeypatch.setattr(asyncio, "sleep", sleep)
        await feed.open()
        await feed.instruments()
        async for _ in feed.frames():
            assert feed.waiting.reason == ""
        refused = "Kite refuses the session: run `alphastocks login`"
        assert waited_for == [f"a login at the broker ({refused})"]

    asyncio.run(story())


def test_packets_without_a_time_are_stamped_with_the_time_that_their_connection_has_reached() -> (
    None
):
    untimed = replace(at(0), has_time=False)
    frames = played(Stream([untimed, at(1), untimed, at(700), untimed]))
    assert [frame.received_ms - OPEN for frame in frames] == [1000, 1000, 700_000, 700_000]
    assert [frame.time_is_arrival for frame in frames] == [False, True, False, True]
    stamps = [frame.columns.exchange_timestamp.tolist() for frame in frames]
    assert stamps == [[frame.received_ms] for frame in frames]


def test_the_options_near_the_money_are_followed_as_the_money_moves() -> None:
    strikes = sorted({one.strike for one in MARKET.contracts if one.name == "NIFTY"})
    stream = Stream([at(1, strikes[3]), at(30, strikes[8]), at(62, strikes[8]), at(63), at(64)])
    played(stream)
    by_token = {one.instrument_token: one.strike for one in MARKET.contracts}
    near = [sorted({by_token.get(token, 0) for token in tokens}) for tokens in stream.history]
    assert near[1] == [0, *strikes[2:5]]
    assert near[2] == near[1]
    assert near[3] == [0, *strikes[7:10]]


def test_a_held_contract_is_followed_from_the_next_frame_on() -> None:
    far = next(one.instrument_token for one in MARKET.contracts if one.name == "NIFTY")
    stream = Stream([at(1), at(2), at(3)])
    played(stream, [far])
    assert [far in tokens for tokens in stream.history] == [False, True, True]
    assert stream.is_closed


def test_the_feed_plays_several_days_each_on_its_own_connection() -> None:
    thursday = CALENDAR.sessions("NSE", date(2026, 6, 18))[0]
    ends = [Ticks(day.close_ms + 3000, 25_000.0) for day in (SESSION, thursday)]

    async def story() -> tuple[list[date], list[int], int]:
        account, stream = Account(), Stream([at(1), ends[0], at(90_000)])
        feed, days, times = feed_of(account, stream), [], []
        for _ in range(2):
            await feed.open()
            days.append(feed.trading_day)
            await feed.instruments()
            times += [frame.received_ms async for frame in feed.frames()]
            account.stamp += timedelta(days=1)
            stream.sent = [ends[1]]
        return days, times, stream.ended

    days, times, ended = asyncio.run(story())
    assert days == [DAY, date(2026, 6, 18)]
    assert times == [OPEN + 1000, ends[0].at_ms, ends[1].at_ms]
    assert ended == 2


class Machine:
    """The machine's clocks: each frame comes a second after the one before."""

    def __init__(self, ahead_ms: int) -> None:
        self.passed_ms, self._ahead_ms = 0, ahead_ms

    def wall_ms(self) -> int:
        return OPEN + self.passed_ms + self._ahead_ms

    def monotonic_ms(self) -> int:
        return 5_000 + self.passed_ms


def live(sent: Sequence[Ticks], ahead_ms: int = 0) -> tuple[list[Frame], Stream]:
    """Play frames by the machine's clock, which is so much ahead of the exchange's."""
    machine, stream = Machine(ahead_ms), Stream(sent)

    async def story() -> list[Frame]:
        feed = feed_of(Account(), stream)
        feed.clock, feed.wall_ms = "wall", machine.wall_ms
        feed.monotonic_ms = machine.monotonic_ms
        await feed.open()
        await feed.instruments()
        frames = []
        stream.before_each = lambda: setattr(machine, "passed_ms", machine.passed_ms + 1000)
        async for frame in feed.frames():
            frames.append(frame)
        return frames

    return asyncio.run(story()), stream


@pytest.mark.parametrize("ahead_ms", [0, 3000, -5000])
def test_by_the_machines_clock_heartbeats_go_on_from_the_last_stamp(ahead_ms: int) -> None:
    frames, _ = live([at(1), at(1, None), at(3), at(3, None)], ahead_ms)
    assert [frame.received_ms - OPEN for frame in frames] == [1000, 2000, 3000, 4000]
    assert {frame.offset_ms for frame in frames} == {ahead_ms}


def test_a_connection_with_heartbeats_alone_is_replaced_and_its_clock_goes_on() -> None:
    frames, stream = live([at(1), *[at(1, None)] * 3, at(5), *[at(5, None)] * 2])
    assert stream.replaced == 1
    assert [frame.received_ms - OPEN for frame in frames][-1] == 7000


def test_garbage_moves_no_clock_and_is_no_sign_of_life() -> None:
    garbage = Ticks(0, None, is_garbage=True)
    frames, _ = live([at(1), garbage, garbage, at(4)])
    assert [frame.received_ms - OPEN for frame in frames] == [1000, 4000]
