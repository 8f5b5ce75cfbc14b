"""The feed of a broker with futures, BFO and MCX: hours, roll, modes and re-centring."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import numpy as np
import pytest

from libs.broker.port.market import HistoricalCandle, LastQuote, Mode
from libs.events.event import ms_from_utc
from libs.events.ticks import TickColumns
from libs.market.calendar import IST, load_calendar
from libs.market.dump import Dump
from libs.market.instruments import Instrument
from libs.runtime.settings import SettingsError
from services.ingest.domain.history import HistoryRules
from services.ingest.domain.universe_rules import UniverseRules
from services.ingest.feed import Frame
from services.ingest.live_feed import LiveFeed
from tests.unit.services.ingest.contracts import NSE_DUMP, crude, futures

LISTED = (*NSE_DUMP, *futures("NFO", "NIFTY"), *futures("BFO", "SENSEX"), *crude())
CRUDE: dict[str, Any] = {"underlyings": (), "commodity": {"names": ("CRUDEOIL",)}}


def ms(day: date, hour: int, minute: int, second: int = 0) -> int:
    return ms_from_utc(datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=IST))


@dataclass
class Account:
    """Lists and quotes everything at a time of its own, each at 6000."""

    at_ms: int
    asked: list[str] = field(default_factory=list)

    async def instruments(self, exchange: str) -> Dump:
        return Dump(tuple(one for one in LISTED if one.exchange == exchange))

    async def quotes(self, keys: Collection[str]) -> dict[str, LastQuote]:
        self.asked += keys
        token = {one.key: one.instrument_token for one in LISTED}
        return {key: LastQuote(token[key], 6000.0, self.at_ms) for key in keys if key in token}

    async def ticks(self, keys: Collection[str], without_time_ms: int) -> TickColumns:
        return TickColumns.empty()

    async def candles(self, *_: object) -> list[HistoricalCandle]:
        return []

    async def close(self) -> None:
        """Do nothing."""


@dataclass
class Ticks:
    """One tick."""

    token: int
    at_ms: int
    price: float
    is_garbage: bool = False

    def __len__(self) -> int:
        return 1

    def columns(self, received_ms: int) -> TickColumns:
        return TickColumns(
            instrument_token=np.array([self.token], "<u4"),
            exchange_timestamp=np.array([self.at_ms], "<i8"),
            last_price=np.array([self.price]),
        )


@dataclass
class Stream:
    """Sends ticks, and remembers the modes that it had at each."""

    sent: Sequence[Ticks]
    modes: dict[int, Mode] = field(default_factory=dict)
    history: list[dict[int, Mode]] = field(default_factory=list)
    open_seconds: float = 60.0

    def counts(self) -> dict[str, int]:
        return {}

    async def subscribe(self, tokens: Collection[int], mode: Mode) -> None:
        self.modes |= dict.fromkeys(tokens, mode)

    async def unsubscribe(self, tokens: Collection[int]) -> None:
        for token in tokens:
            del self.modes[token]

    async def frames(self) -> AsyncGenerator[Ticks]:
        for frame in self.sent:
            self.history.append(dict(self.modes))
            yield frame

    async def replace(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""


def named(tradingsymbol: str) -> Instrument:
    return next(one for one in LISTED if one.tradingsymbol == tradingsymbol)


JUNE_CRUDE = named("CRUDEOIL26JUN18FUT")


def played(
    rules: dict[str, Any], at_ms: int, sent: Sequence[Ticks] = ()
) -> tuple[list[Frame], Stream, list[Instrument]]:
    stream = Stream(sent)
    feed = LiveFeed(
        Account(at_ms),
        lambda: stream,
        UniverseRules(**rules),
        HistoryRules(days=2),
        load_calendar(),
        "kite",
        clock="feed",
    )

    async def story() -> tuple[list[Frame], Stream, list[Instrument]]:
        await feed.open()
        listed = list(await feed.instruments())
        return [frame async for frame in feed.frames()], stream, listed

    return asyncio.run(story())


@pytest.mark.parametrize(
    ("day", "closes"),
    [
        (date(2026, 6, 17), (23, 30)),
        (date(2026, 6, 26), (23, 30)),  # Muharram: shares are closed, MCX has its evening
        (date(2026, 3, 6), (23, 55)),  # the US go to summer time on Sunday
        (date(2026, 3, 9), (23, 30)),
        (date(2026, 10, 30), (23, 30)),
        (date(2026, 11, 2), (23, 55)),
        (date(2026, 1, 1), (17, 0)),
        (date(2026, 1, 15), (23, 55)),
    ],
)
def test_a_day_with_commodities_ends_with_mcx(day: date, closes: tuple[int, int]) -> None:
    close_ms = ms(day, *closes)
    times = [ms(day, 16, 55), close_ms + 2_999, close_ms + 3_000, close_ms + 3_001]
    ticks = [Ticks(JUNE_CRUDE.instrument_token, at, 6000.0) for at in times]
    frames, _, _ = played({"commodity": {"names": ("CRUDEOIL",)}}, times[0], ticks)
    assert [frame.received_ms for frame in frames] == times[:3]


def test_shares_alone_end_with_their_options() -> None:
    day = date(2026, 8, 4)
    times = [ms(day, 15, 29), ms(day, 15, 40, 2), ms(day, 15, 40, 3), ms(day, 15, 41)]
    nifty = named("NIFTY 50").instrument_token
    ticks = [Ticks(nifty, at, 25_000.0) for at in times]
    frames, _, _ = played({"underlyings": ("NSE:NIFTY 50",)}, times[0], ticks)
    assert [frame.received_ms for frame in frames] == times[:3]


def test_a_day_on_which_nothing_that_is_followed_trades_is_refused() -> None:
    for day, rules in ((date(2026, 10, 2), CRUDE), (date(2026, 6, 26), {})):
        with pytest.raises(SettingsError, match=f"the market is closed on {day} "):
            played(rules, ms(day, 18, 0))


@pytest.mark.parametrize(
    ("day", "month"),
    [(date(2026, 6, 29), "JUN30"), (date(2026, 6, 30), "JUN30"), (date(2026, 7, 1), "JUL28")],
)
def test_the_day_after_its_expiry_another_future_is_followed(day: date, month: str) -> None:
    rules = {"underlyings": (), "futures": {"names": ("NIFTY", "SENSEX")}}
    symbols = [f"NIFTY26{month}FUT", f"SENSEX26{month}FUT"]
    _, stream, listed = played(rules, ms(day, 9, 15), [Ticks(1, ms(day, 9, 15, 1), 1.0)])
    assert [one.tradingsymbol for one in listed] == symbols
    assert stream.modes == {named(one).instrument_token: "full" for one in symbols}


def test_each_asset_class_is_followed_in_its_mode() -> None:
    rules = {
        "underlyings": ("NSE:NIFTY 50",),
        "near_strikes": 0,
        "expiries": 1,
        "equity": {"names": ("NSE:SBIN",), "mode": "quote"},
        "index": {"names": ("NSE:NIFTY BANK",), "mode": "ltp"},
    }
    at_ms = ms(date(2026, 6, 17), 9, 15, 1)
    _, stream, _ = played(rules, at_ms, [Ticks(1, at_ms, 1.0)])
    modes = {key: stream.modes[named(key).instrument_token] for key in ("SBIN", "NIFTY BANK")}
    assert modes == {"SBIN": "quote", "NIFTY BANK": "ltp"}
    assert sorted(stream.modes.values()) == ["full"] * 3 + ["ltp", "quote"]


def test_options_of_a_commodity_are_centred_on_its_future_and_follow_it() -> None:
    day = date(2026, 6, 12)
    rules = CRUDE | {"commodity": {"names": ("CRUDEOIL",), "expiries": 1, "near_strikes": 1}}
    sent = [
        Ticks(JUNE_CRUDE.instrument_token, ms(day, 20, 0), 6000.0),
        Ticks(JUNE_CRUDE.instrument_token, ms(day, 20, 1), 6310.0),
        Ticks(JUNE_CRUDE.instrument_token, ms(day, 20, 2, 1), 6310.0),
    ]
    _, stream, _ = played(rules, sent[0].at_ms, sent)
    strike = {one.instrument_token: one.strike for one in LISTED}
    near = [sorted({strike[token] for token in modes}) for modes in stream.history]
    assert near[0] == [0, 5900, 6000, 6100], "by the quote before the first tick"
    assert near[2] == [0, 6200, 6300, 6400]
