"""What a day came to, from its events."""

import asyncio
import re
from datetime import date
from decimal import Decimal
from pathlib import Path

from libs.events.codec import record_of
from libs.events.control import HistoryLoaded, StrategyStopped
from libs.events.embedded.bus import LocalBus
from libs.events.event import Event, utc_from_ms
from libs.events.positions import PositionClosed, PositionUpdated
from libs.events.reasons import EXITS, UNTRADED
from libs.events.signals import (
    SignalActivated,
    SignalExpired,
    SignalLogged,
    SignalRejected,
    SignalUpdate,
)
from services.local.play.day_events import DayEvents, day_events
from tests.unit.services.executor.builders import DAY, LOT, NOW, at, position, signal

YESTERDAY = date(2026, 6, 9)
SERVICES = Path(__file__).parents[5] / "services"


def taken(*events: Event) -> DayEvents:
    day = DayEvents()
    for event in events:
        day.take(event)
    return day


def update(kind: type[SignalUpdate], number: int, reason: str) -> SignalUpdate:
    return kind.of(signal(number), utc_from_ms(NOW), DAY, reason)


def stopped(on: date, name: str = "pullback") -> StrategyStopped:
    envelope = StrategyStopped.without_cause(name, on, occurred_at=utc_from_ms(NOW), trading_day=on)
    return StrategyStopped(**envelope, strategy=name, reason="on NSE:SBIN 5m: KeyError: 'x'")


def loaded(on: date) -> HistoryLoaded:
    envelope = HistoryLoaded.without_cause(on, occurred_at=utc_from_ms(at(9, 15)), trading_day=on)
    return HistoryLoaded(**envelope, days=(), candles=0)


def read(*events: Event) -> DayEvents:
    async def run() -> DayEvents:
        bus = LocalBus()
        await bus.start()
        for event in events:
            await bus.publish(record_of(event))
        day = await day_events(bus, DAY)
        await bus.stop()
        return day

    return asyncio.run(run())


def test_a_trade_is_a_position_from_its_entry_to_its_exit_after_charges() -> None:
    closed = position(
        1, PositionClosed, 2 * LOT, "-450.25", exit_price=Decimal(97), exit_reason="stop_loss"
    )
    (trade,) = taken(position(1), closed).trades()
    assert trade.lots == 2
    assert (trade.entry_price, trade.exit_price) == (Decimal(100), Decimal(97))
    assert (trade.exit_reason, trade.net) == ("stop_loss", Decimal("-450.25"))


def test_an_open_position_is_a_trade_at_its_last_price() -> None:
    held = position(1, PositionUpdated, net="-40", unrealised=Decimal(300))
    (trade,) = taken(position(1), held).trades()
    assert (trade.exit_price, trade.exit_reason, trade.net) == (None, None, Decimal(260))


def test_trades_are_in_the_order_in_which_they_were_opened() -> None:
    later, earlier = position(1, opened_at=utc_from_ms(NOW + 1)), position(2)
    trades = taken(later, earlier).trades()
    assert [trade.opened_at for trade in trades] == [earlier.opened_at, later.opened_at]


def test_each_signal_that_was_not_traded_counts_once_under_its_reason() -> None:
    day = taken(
        update(SignalRejected, 1, "positions"),
        update(SignalRejected, 2, "positions"),
        update(SignalLogged, 3, "logging_only"),
        update(SignalExpired, 4, "entry_not_filled"),
        update(SignalActivated, 5, "position_opened"),
        update(SignalRejected, 1, "positions"),
    )
    assert day.untraded() == {"positions": 2, "logging_only": 1, "entry_not_filled": 1}
    assert day.figures()["signals_rejected"] == 2


def test_a_bus_is_asked_for_one_day_only() -> None:
    before = position(1, PositionClosed, net="500", trading_day=YESTERDAY)
    today = position(2, PositionClosed, net="-20")
    day = read(before, today, today)
    assert day.figures()["net_pnl"] == -20
    assert len(day.events) == 1


def test_a_strategy_that_was_stopped_is_named_with_its_reason() -> None:
    assert read(loaded(DAY), stopped(DAY)).troubles() == (
        "pullback: on NSE:SBIN 5m: KeyError: 'x'",
    )
    assert taken().figures()["strategies_stopped"] == ()


def test_one_that_failed_on_the_history_was_stopped_on_the_day_that_loaded_it() -> None:
    day = read(loaded(YESTERDAY), stopped(YESTERDAY, "old"), loaded(DAY), stopped(YESTERDAY))
    assert list(day.stopped) == ["pullback"]


def test_every_reason_of_a_refusal_is_there_in_words() -> None:
    sources = "".join(path.read_text() for path in SERVICES.glob("*/domain/**/*.py"))
    named = set(re.findall(r'Refusal\(\s*"(\w+)"', sources))
    named |= set(re.findall(r'yield "(\w+)", ', (SERVICES / "executor/domain/risk.py").read_text()))
    assert len(named) >= 12
    assert named <= set(UNTRADED)
    closing = PositionClosed.model_fields["exit_reason"].annotation
    assert all(f"'{reason}'" in str(closing) for reason in EXITS)
