"""Three connections of a broker on one day: clocks, silence and what each of them follows."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from libs.broker.errors import RequestRefused, SessionExpired
from libs.market.instruments import Instrument
from libs.runtime.logs import configure_logs
from libs.runtime.metrics import Metrics
from libs.runtime.settings import SettingsError
from services.ingest import polling, sockets
from services.ingest.domain.universe_rules import OptionRules, UniverseRules
from services.ingest.feed import Frame
from services.ingest.feed_log import FeedLog
from services.ingest.live_feed import ConnectionLimits, LiveFeed
from tests.unit.services.ingest.test_live_feed import (
    MARKET,
    NIFTY,
    OPEN,
    SESSION,
    Account,
    Stream,
    Ticks,
    feed_of,
    log_lines,
)

SYMBOLS = ("NIFTY 50", "RELIANCE", "INFY", "TCS", "SBIN", "ITC", "LT")
PARTITIONS = 6
KEYS = tuple(f"NSE:{symbol}" for symbol in SYMBOLS)


@dataclass
class Wire(Stream):
    """A connection that brings what the test puts on it."""

    waiting: "asyncio.Queue[Ticks | Exception]" = field(default_factory=asyncio.Queue)
    seconds: Callable[[], float] = lambda: 0.0
    opened: float = -3600.0
    is_away: bool = False

    @property
    def open_seconds(self) -> float:
        return 0.0 if self.is_away else self.seconds() - self.opened

    async def replace(self) -> None:
        if not self.is_away:
            await super().replace()
            self.opened = self.seconds()

    async def frames(self) -> AsyncGenerator[Ticks]:
        while True:
            came = await self.waiting.get()
            if isinstance(came, Exception):
                raise came
            yield came


@dataclass
class Desk:
    """A feed over wires, and the machine's clocks, which the test moves."""

    feed: LiveFeed
    wires: list[Wire]
    taken: list[Frame] = field(default_factory=list)
    metrics: Metrics = field(default_factory=lambda: Metrics("ingest"))
    passed_ms: int = 0
    ahead_ms: int = 0
    stall_ms: int = 0
    """So long the next frame takes to be handled."""

    def wall_ms(self) -> int:
        return OPEN + self.passed_ms + self.ahead_ms

    def monotonic_ms(self) -> int:
        return 5_000 + self.passed_ms

    async def second(self, *came: Ticks | Exception | None, ms: int = 1000) -> list[Frame]:
        """Let a second pass, in which each wire brings something or nothing; return the frames."""
        self.passed_ms += ms
        before = len(self.taken)
        for wire, one in zip(self.wires, came, strict=False):
            if one is not None:
                wire.waiting.put_nowait(one)
        for _ in range(30):
            await asyncio.sleep(0)
        return self.taken[before:]

    async def look(self) -> None:
        """Let the feed look at its connections, though nothing came."""
        for _ in range(3):  # on a loaded machine one long sleep may pass before the first look
            await asyncio.sleep(sockets.LOOK_SECONDS)
        for _ in range(20):
            await asyncio.sleep(0)

    def token(self, wire: int) -> int:
        """An instrument of this wire."""
        return min(one for one in self.wires[wire].tokens if self.spread(one) == wire)

    def tick(self, wire: int, late: int = 0) -> Ticks:
        """A tick of an instrument of this wire, stamped now or some seconds ago."""
        at_ms = OPEN + self.passed_ms + 1000 - late * 1000
        return Ticks(at_ms, 100.0, token=self.token(wire))

    def spread(self, token: int) -> int:
        live = self.feed._live
        assert live is not None
        return live.spread.connection_of(token)

    def measured(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"alphastocks_{name}", labels)


def beat() -> Ticks:
    return Ticks(0)


def listed() -> list[int]:
    by_symbol = {one.tradingsymbol: one.instrument_token for one in MARKET.underlyings}
    return [by_symbol[symbol] for symbol in SYMBOLS]


OF_SHARES = UniverseRules(KEYS, expiries=1, near_strikes=3)


def at_desk(
    story: Callable[[Desk], Awaitable[None]],
    most: int = 45,
    connections: int = 3,
    rules: UniverseRules = OF_SHARES,
) -> None:
    """Tell a story of a day on connections of so many instruments."""

    async def run() -> None:
        wires: list[Wire] = []

        def connect() -> Wire:
            wires.append(Wire(seconds=lambda: desk.passed_ms / 1000))
            return wires[-1]

        feed = replace(feed_of(Account(), Stream()), rules=rules, make_stream=connect, clock="wall")
        desk = Desk(feed, wires)
        feed.wall_ms, feed.monotonic_ms = desk.wall_ms, desk.monotonic_ms
        feed.feed_log = FeedLog(desk.metrics.feed)
        feed.limits = ConnectionLimits(connections, most)
        await feed.open()
        feed._spots = spots()
        await feed.instruments()

        async def take() -> None:
            async for frame in feed.frames(PARTITIONS):
                desk.taken.append(frame)
                desk.passed_ms, desk.stall_ms = desk.passed_ms + desk.stall_ms, 0

        taking = asyncio.create_task(take())
        try:
            for _ in range(10):
                await asyncio.sleep(0)
            if taking.done():
                taking.result()
            await story(desk)
        finally:
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)

    asyncio.run(run())


def spots() -> dict[int, float]:
    prices = MARKET.spots(SESSION.open_ms)
    return {
        one.instrument_token: prices[one.tradingsymbol]
        for one in MARKET.underlyings
        if one.tradingsymbol in SYMBOLS
    }


def option(chosen: Callable[[Instrument], bool] = lambda _: True) -> int:
    """Token of an option far from the money."""
    return next(
        one.instrument_token for one in MARKET.contracts if one.name == "NIFTY" and chosen(one)
    )


def test_each_instrument_is_followed_on_the_connection_of_its_partition() -> None:
    async def story(desk: Desk) -> None:
        assert len(desk.wires) == 3
        extra = {NIFTY.instrument_token}
        followed = [wire.tokens for wire in desk.wires]
        for number, tokens in enumerate(followed):
            assert {desk.spread(token) for token in tokens - extra} == {number}
            assert len(tokens) <= 45
        every = followed[0] | followed[1] | followed[2]
        assert set(listed()) < every
        assert sum(map(len, followed)) == len(every) + 2, "the index tells of each if it lives"

    at_desk(story)


def test_a_connection_of_quotes_alone_has_a_clock() -> None:
    async def story(desk: Desk) -> None:
        for wire in range(3):
            assert "full" in [desk.wires[wire].modes[one] for one in desk.wires[wire].tokens]

    rules = UniverseRules(KEYS[1:2], expiries=2, near_strikes=20, options=OptionRules(mode="quote"))
    at_desk(story, rules=rules)


def test_more_instruments_than_fit_are_one_error_that_names_the_number() -> None:
    async def story(_: Desk) -> None:
        raise AssertionError

    with pytest.raises(SettingsError, match=r"^ingest: 105 instruments do not fit 2 connections"):
        at_desk(story, most=45, connections=2)


def test_a_lagging_connection_is_not_overtaken_by_a_healthy_one() -> None:
    async def story(desk: Desk) -> None:
        for _ in range(30):
            frames = await desk.second(desk.tick(0), desk.tick(1, late=20), beat())
        clocks = {one.connection: one.columns.exchange_timestamp.tolist() for one in frames}
        assert clocks[0] == [OPEN + 30_000]
        assert clocks[1] == [OPEN + 10_000]
        frames = await desk.second(beat(), beat(), beat())
        reached = {one.connection: one.received_ms - OPEN for one in frames}
        assert reached == {0: 31_000, 1: 11_000}, "its heartbeat goes on from its own stamp"
        assert {frame.offset_ms for frame in desk.taken[10:]} == {0}, "the machine's clock is right"
        assert desk.wires[1].replaced == 0, "its ticks are news"
        assert desk.measured("feed_connection_lag_seconds", connection="1") in (20, 21)
        live = desk.feed._live
        assert live is not None
        for frame in desk.taken:
            assert frame.partitions == live.spread.partitions_of(frame.connection)

    at_desk(story)


@pytest.mark.parametrize("ahead_ms", [3000, -5000])
def test_a_clock_of_the_machine_that_is_off_moves_no_connection_and_is_measured(
    ahead_ms: int,
) -> None:
    async def story(desk: Desk) -> None:
        desk.ahead_ms = ahead_ms
        for _ in range(5):
            frames = await desk.second(desk.tick(0), desk.tick(1, late=20), desk.tick(2))
        frames += await desk.second(beat(), beat(), beat())
        assert [one.received_ms - OPEN for one in frames] == [5000] * 3 + [6000, -14_000, 6000]
        assert {one.offset_ms for one in frames} == {ahead_ms}

    at_desk(story)


def test_the_ticks_of_a_lagging_connection_arrived_when_they_did() -> None:
    async def story(desk: Desk) -> None:
        for _ in range(5):
            frames = await desk.second(desk.tick(0), desk.tick(1, late=20))
        assert [one.received_ms - OPEN for one in frames] == [5000, 5000]

    at_desk(story)


def test_what_a_lagging_connection_brings_without_a_time_is_as_old() -> None:
    async def story(desk: Desk) -> None:
        await desk.second(desk.tick(0), desk.tick(1, late=20))
        untimed = replace(desk.tick(1), has_time=False)
        (frame,) = await desk.second(None, untimed)
        assert frame.time_is_arrival
        assert frame.columns.exchange_timestamp.tolist() == [OPEN - 18_000]

    at_desk(story)


def test_a_connection_that_alone_has_heartbeats_only_is_replaced_within_three_seconds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs("info", "json")

    async def story(desk: Desk) -> None:
        await desk.second(desk.tick(0), desk.tick(1), desk.tick(2))
        for _ in range(6):
            await desk.second(desk.tick(0), beat(), desk.tick(2), ms=500)
        assert [wire.replaced for wire in desk.wires] == [0, 1, 0]
        assert not any(frame.is_silent for frame in desk.taken), "the others live"
        assert desk.feed.feed_log.silent == {1}
        events = "feed_connection_events_total"
        assert desk.measured(events, connection="1", what="silences") == 1
        await desk.second(desk.tick(0), desk.tick(1), desk.tick(2))
        assert desk.feed.feed_log.silent == frozenset()

    at_desk(story)
    told = [line["event"] for line in log_lines(capsys)]
    assert told.count("a connection brings no ticks") == 1
    assert told.count("a connection brings ticks again") == 1


def test_a_connection_that_repeats_the_same_ticks_is_frozen_and_is_replaced() -> None:
    async def story(desk: Desk) -> None:
        frozen = desk.tick(1)
        for _ in range(7):
            await desk.second(desk.tick(0), frozen, desk.tick(2), ms=500)
        assert [wire.replaced for wire in desk.wires] == [0, 1, 0]

    at_desk(story)


def test_a_connection_with_garbage_alone_is_replaced() -> None:
    async def story(desk: Desk) -> None:
        garbage = Ticks(0, is_garbage=True)
        await desk.second(desk.tick(0), desk.tick(1), desk.tick(2))
        for _ in range(6):
            await desk.second(desk.tick(0), garbage, desk.tick(2), ms=500)
        assert [wire.replaced for wire in desk.wires] == [0, 1, 0]
        assert {one.connection for one in desk.taken[3:]} == {0, 2}

    at_desk(story)


def test_a_new_connection_is_given_its_time_before_it_is_replaced() -> None:
    async def story(desk: Desk) -> None:
        await desk.second(desk.tick(0), desk.tick(1), desk.tick(2))
        desk.wires[1].is_away = True
        for _ in range(10):
            await desk.second(desk.tick(0), None, desk.tick(2))
        assert desk.wires[1].replaced == 0, "it is away: there is none to be replaced"
        desk.wires[1].is_away, desk.wires[1].opened = False, desk.passed_ms / 1000
        for _ in range(2):
            await desk.second(desk.tick(0), beat(), desk.tick(2))
        assert desk.wires[1].replaced == 0
        await desk.second(desk.tick(0), beat(), desk.tick(2))
        assert desk.wires[1].replaced == 1

    at_desk(story)


def test_connections_whose_frames_waited_to_be_handled_were_not_silent() -> None:
    async def story(desk: Desk) -> None:
        await desk.second(desk.tick(0), desk.tick(1), desk.tick(2))
        desk.stall_ms = 30_000
        await desk.second(desk.tick(0), desk.tick(1), desk.tick(2))
        assert [wire.replaced for wire in desk.wires] == [0, 0, 0]
        assert not any(frame.is_silent for frame in desk.taken)
        for _ in range(6):
            await desk.second(desk.tick(0), None, desk.tick(2), ms=500)
        assert [wire.replaced for wire in desk.wires] == [0, 1, 0], "it is silent after all"

    at_desk(story)


def test_a_heartbeat_that_waited_to_be_handled_does_not_overtake_the_ticks_behind_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sockets, "LOOK_SECONDS", 0.002)

    async def story(desk: Desk) -> None:
        await desk.second(desk.tick(0), desk.tick(1), desk.tick(2))
        desk.stall_ms = 30_000
        frames = await desk.second(desk.tick(0), beat(), beat())
        beats = [one.received_ms - OPEN for one in frames if not len(one.columns)]
        assert len(beats) == 2
        assert max(beats) <= 3000, "it stands for the second in which it came"
        assert {frame.offset_ms for frame in frames} == {0}
        await desk.look()
        frames = await desk.second(None, beat(), beat())
        assert [one.received_ms - OPEN for one in frames] == [33_000, 33_000], "nothing waits"

    at_desk(story)


def test_all_silent_together_is_told_and_replacing_backs_off(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sockets, "LOOK_SECONDS", 0.002)
    configure_logs("info", "json")

    async def story(desk: Desk) -> None:
        await desk.second(desk.tick(0), desk.tick(1), desk.tick(2))
        count, times = 0, list[int]()
        for second in range(1, 61):
            await desk.second()
            await desk.look()
            if sum(wire.replaced for wire in desk.wires) > count:
                count = sum(wire.replaced for wire in desk.wires)
                times.append(second)
        assert times == [3, 8, 18, 38]
        assert [frame.is_silent for frame in desk.taken[3:]] == [True], "told once"
        assert desk.taken[-1].received_ms == 0
        assert desk.measured("feed_halted") == 1
        frames = await desk.second(desk.tick(0))
        assert [one.is_silent for one in frames if not one.received_ms] == [False]
        assert desk.measured("feed_halted") == 0

    at_desk(story)
    told = [line["event"] for line in log_lines(capsys)]
    assert told.count("no connection brings ticks: the exchange or the line has halted") == 1
    assert told.count("ticks come again") == 1


def test_an_open_connection_outlives_the_session_while_a_new_one_waits_for_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sockets, "SESSION_SECONDS", 0.005)

    async def story(desk: Desk) -> None:
        waiting = desk.feed.waiting
        await desk.second(desk.tick(0), SessionExpired("run `alphastocks login`"), desk.tick(2))
        assert waiting.reason == "a login at the broker (run `alphastocks login`)"
        frames = await desk.second(desk.tick(0), None, desk.tick(2))
        assert [one.connection for one in frames] == [0, 2]
        assert waiting.reason
        await asyncio.sleep(0.02)
        frames = await desk.second(desk.tick(0), desk.tick(1), desk.tick(2))
        assert {one.connection for one in frames} == {0, 1, 2}
        assert waiting.reason == ""

    at_desk(story)


def test_a_held_contract_goes_to_the_connection_of_its_partition_in_full() -> None:
    async def story(desk: Desk) -> None:
        far = option(lambda one: all(one.instrument_token not in w.tokens for w in desk.wires))
        desk.feed.follow([far])
        await desk.second(desk.tick(0))
        assert [far in wire.tokens for wire in desk.wires].index(True) == desk.spread(far)
        assert desk.wires[desk.spread(far)].modes[far] == "full"
        desk.feed.follow([])
        await desk.second(desk.tick(0))
        assert not any(far in wire.tokens for wire in desk.wires)

    at_desk(story)


def test_a_full_connection_keeps_what_is_held_and_says_what_it_leaves(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs("info", "json")

    async def story(desk: Desk) -> None:
        first = [one for one in MARKET.contracts if desk.spread(one.instrument_token) == 0]
        held = {one.instrument_token for one in first[:40]}
        desk.feed.follow(held)
        await desk.second(desk.tick(0))
        assert held < desk.wires[0].tokens
        assert len(desk.wires[0].tokens) == 45

    at_desk(story)
    (told,) = [line for line in log_lines(capsys) if line["event"] == "a connection is full"]
    assert told["instruments_not_followed"] > 0


def closing(desk: Desk, second: int) -> Any:
    """Go to some seconds after the last close."""
    desk.passed_ms = desk.feed._ends_ms() - OPEN + second * 1000 - 1000
    return desk


def test_the_day_ends_when_the_last_connection_has_come_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sockets, "LOOK_SECONDS", 0.002)

    async def story(desk: Desk) -> None:
        closing(desk, -30)
        await desk.second(desk.tick(0), desk.tick(1), desk.tick(2, late=20))
        closing(desk, 0)
        await desk.look()
        frames = await desk.second(beat(), beat(), beat())
        assert [frame.connection for frame in frames] == [0, 1, 2]
        for _ in range(20):
            frames = await desk.second(None, None, beat())
        assert [frame.connection for frame in frames] == [2]
        assert await desk.second(beat(), beat(), beat()) == []

    at_desk(story)


def test_a_connection_that_never_comes_to_the_end_is_given_a_minute_and_its_candles_close() -> None:
    async def story(desk: Desk) -> None:
        closing(desk, -30)
        await desk.second(desk.tick(0), desk.tick(1), desk.tick(2))
        closing(desk, 59)
        await desk.second(beat(), beat())
        frames = await desk.second(beat())
        end_ms = desk.feed._ends_ms()
        assert [(one.connection, one.received_ms) for one in frames[-1:]] == [(2, end_ms)]

    at_desk(story)


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look and ask at once, not after a time of the machine's."""
    monkeypatch.setattr(sockets, "LOOK_SECONDS", 0.002)
    monkeypatch.setattr(polling, "POLL_SECONDS", 0.002)


def test_a_halt_that_lasts_to_the_close_does_not_end_with_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sockets, "LOOK_SECONDS", 0.002)
    configure_logs("info", "json")

    async def story(desk: Desk) -> None:
        desk.passed_ms = SESSION.close_ms - OPEN - 6_000
        await desk.second(desk.tick(0), desk.tick(1), desk.tick(2))
        for _ in range(8):
            await desk.second(beat(), beat(), beat())
        assert [frame.is_silent for frame in desk.taken if not frame.received_ms] == [True, False]
        assert not desk.taken[-1].is_silent

    at_desk(story)
    told = [line["event"] for line in log_lines(capsys)]
    assert "no connection brings ticks: the exchange or the line has halted" in told
    assert not [one for one in told if one.endswith("again")]


def account(desk: Desk) -> Account:
    assert isinstance(desk.feed.market_data, Account)
    return desk.feed.market_data


async def outage(desk: Desk, seconds: int) -> list[Frame]:
    """Let the second connection be away; the others go on."""
    frames: list[Frame] = []
    desk.wires[1].is_away = True
    for _ in range(seconds):
        account(desk).quoted_ms = OPEN + desk.passed_ms + 1000
        frames += await desk.second(desk.tick(0), None, desk.tick(2))
        await desk.look()
    return desk.taken


@pytest.mark.usefixtures("_quick")
def test_what_a_connection_cannot_bring_is_quoted_by_request_after_five_seconds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs("info", "json")

    async def story(desk: Desk) -> None:
        await desk.second(desk.tick(0), desk.tick(1), desk.tick(2))
        await outage(desk, 4)
        assert account(desk).polled == []
        await outage(desk, 3)
        own = {one for one in desk.wires[1].tokens if desk.spread(one) == 1}
        keys = sorted(one.key for one in MARKET.instruments if one.instrument_token in own)
        assert account(desk).polled[0] == keys
        assert desk.measured("feed_polled_instruments") == len(keys)
        polled = [one for one in desk.taken if one.connection == 1][1:]
        assert set(polled[0].columns.instrument_token.tolist()) == own
        assert polled[-1].received_ms == OPEN + desk.passed_ms, "its clock goes on"
        assert polled[0].is_news
        assert desk.feed.describe()["quoted_by_request"] == len(keys)
        desk.wires[1].is_away = False
        await desk.second(desk.tick(0), desk.tick(1), desk.tick(2))
        await desk.look()
        count = len(account(desk).polled)
        await desk.look()
        assert len(account(desk).polled) == count, "the websocket brings them again"
        assert desk.measured("feed_polled_instruments") == 0

    at_desk(story)
    told = [line["event"] for line in log_lines(capsys)]
    assert told.count("quotes by request stand in for the websocket") == 1
    assert told.count("the websocket brings the quotes again") == 1


@pytest.mark.usefixtures("_quick")
def test_a_held_contract_that_no_rule_lists_is_told_as_not_quoted() -> None:
    async def story(desk: Desk) -> None:
        listed_now = {one.instrument_token for one in desk.feed._known().instruments}
        far = next(
            one.instrument_token
            for one in MARKET.contracts
            if one.instrument_token not in listed_now and desk.spread(one.instrument_token) == 1
        )
        desk.feed.follow([far])
        await desk.second(desk.tick(0), desk.tick(1), desk.tick(2))
        await outage(desk, 7)
        assert far in desk.wires[1].tokens
        assert desk.measured("feed_unquoted_instruments") == 1
        assert desk.feed.describe()["not_quoted"] == 1

    at_desk(story)


@pytest.mark.usefixtures("_quick")
def test_quotes_by_request_do_not_make_a_connection_live() -> None:
    async def story(desk: Desk) -> None:
        await desk.second(desk.tick(0), desk.tick(1), desk.tick(2))
        await outage(desk, 10)
        assert desk.feed.feed_log.silent == {1}

    at_desk(story)


@pytest.mark.usefixtures("_quick")
def test_a_refused_request_for_quotes_is_told_once_and_asked_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs("info", "json")

    async def story(desk: Desk) -> None:
        await desk.second(desk.tick(0), desk.tick(1), desk.tick(2))
        account(desk).no_quotes = RequestRefused("no")
        await outage(desk, 8)
        assert len(account(desk).polled) > 2
        assert [one.connection for one in desk.taken].count(1) == 1
        account(desk).no_quotes = None
        await outage(desk, 1)
        assert [one.connection for one in desk.taken].count(1) > 1

    at_desk(story)
    assert [line["event"] for line in log_lines(capsys)].count("no quotes by request") == 1


@pytest.mark.usefixtures("_quick")
def test_without_a_session_nothing_is_asked_for() -> None:
    async def story(desk: Desk) -> None:
        await desk.second(desk.tick(0), desk.tick(1), desk.tick(2))
        await desk.second(desk.tick(0), SessionExpired("run `alphastocks login`"), desk.tick(2))
        await outage(desk, 8)
        assert account(desk).polled == []

    at_desk(story)
