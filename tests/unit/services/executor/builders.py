"""Events, contracts and quotes for the executor's tests; whatever is not given is ordinary."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np

from libs.broker.port import Fill, OrderUpdate
from libs.events.event import Event, identity, ms_from_utc, utc_from_ms
from libs.events.instruments import Contract, InstrumentListed
from libs.events.orders import OrderPlanned
from libs.events.positions import ExitRequested, PositionClosed, PositionEvent, PositionOpened
from libs.events.signals import SignalGenerated
from libs.events.ticks import TickBatch, TickColumns
from libs.market.calendar import IST, load_calendar
from libs.market.greeks import price
from libs.market.instruments import Instrument
from libs.market.rulebook import load_rulebook
from services.executor.domain.executor import OptionsExecutor
from services.executor.domain.option_market import OptionMarket
from services.executor.domain.order import Order, tag_of
from services.executor.domain.plans import position_id_of
from services.executor.domain.policy import Policy
from services.executor.domain.risk import RiskBook

DAY = date(2026, 6, 10)
NEXT_DAY = date(2026, 6, 11)
EXPIRY = date(2026, 6, 16)
MONTHLY = date(2026, 6, 30)
LOT = 75
SPOT = 25_000.0
INDEX_TOKEN = 256_265
STRIKES = tuple(range(24_750, 25_251, 50))


def at(hour: int, minute: int, second: int = 0, day: date = DAY) -> int:
    """Epoch ms of a time in India."""
    when = datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=IST)
    return ms_from_utc(when)


NOW = at(10, 30)


def signal(number: int = 1, now_ms: int = NOW, **changes: Any) -> SignalGenerated:
    fields: dict[str, Any] = {
        "event_id": identity("test signal", number),
        "occurred_at": utc_from_ms(now_ms),
        "trading_day": utc_from_ms(now_ms).astimezone(IST).date(),
        "correlation_id": identity("test candle", number),
        "strategy": "ma_crossover",
        "strategy_version": "1",
        "parameters": {},
        "exchange": "NSE",
        "tradingsymbol": "NIFTY 50",
        "underlying": "NIFTY",
        "interval": "15m",
        "candle_opened_at": utc_from_ms(now_ms - 900_000),
        "candle_closed_at": utc_from_ms(now_ms),
        "action": "BUY",
        "price": SPOT,
        "stop_loss": 24_750.0,
        "target": 25_500.0,
        "confidence": 0.85,
        "expected_move": 2.0,
        "indicators": {},
    }
    return SignalGenerated(**(fields | changes))


def contract(**changes: Any) -> Contract:
    fields: dict[str, Any] = {
        "exchange": "NFO",
        "tradingsymbol": "NIFTY2661625000CE",
        "instrument_token": 25_000 * 256 + 2,
        "underlying": "NIFTY",
        "expiry": EXPIRY,
        "strike": 25_000.0,
        "instrument_type": "CE",
        "lot_size": LOT,
        "tick_size": Decimal("0.05"),
    }
    return Contract(**(fields | changes))


def plan(quantity: int = 2 * LOT, number: int = 0, **changes: Any) -> OrderPlanned:
    """An entry of signal 1, or with leg="exit" a sale of its position."""
    of_signal = changes.get("signal_id", identity("test signal", 1))
    leg = changes.get("leg", "entry")
    order_id = identity("Order", of_signal, leg, number)
    fields: dict[str, Any] = {
        "event_id": identity("OrderPlanned", order_id),
        "occurred_at": utc_from_ms(NOW),
        "trading_day": DAY,
        "correlation_id": identity("test candle", 1),
        "causation_id": of_signal,
        "order_id": order_id,
        "tag": tag_of(order_id),
        "signal_id": of_signal,
        "position_id": position_id_of(of_signal),
        "strategy": "ma_crossover",
        "leg": leg,
        "mode": "paper",
        "contract": contract(),
        "transaction_type": "BUY" if leg == "entry" else "SELL",
        "quantity": quantity,
        "action": "BUY",
        "tradingsymbol": "NIFTY 50",
        "stop_loss": Decimal("70.00"),
        "target": Decimal("160.00"),
        "order_type": "LIMIT" if leg == "entry" else "MARKET",
        "price": Decimal("101.00") if leg == "entry" else Decimal(0),
        "product": "NRML",
    }
    return OrderPlanned(**(fields | changes))


def fill(quantity: int, premium: str = "100.00", number: int = 1) -> Fill:
    return Fill(f"fill-{number}", quantity, Decimal(premium))


def update(order: Order, status: str, *fills: Fill, at_ms: int = NOW + 1000) -> OrderUpdate:
    return OrderUpdate(
        broker_order_id=f"broker-{order.plan.tag}",
        tag=order.plan.tag,
        status=status,  # type: ignore[arg-type]  # tests name one of the four
        at_ms=at_ms,
        fills=fills,
    )


def exit_requested(
    position_id: UUID, lots: int | None = None, number: int = 1, **changes: Any
) -> ExitRequested:
    fields: dict[str, Any] = {
        "event_id": identity("test exit", position_id, number),
        "occurred_at": utc_from_ms(NOW + 60_000),
        "trading_day": DAY,
        "correlation_id": identity("test candle", 1),
        "position_id": position_id,
        "signal_id": identity("test signal", 1),
        "reason": "stop_loss" if lots is None else "manual",
        "lots": lots,
    }
    return ExitRequested(**(fields | changes))


def position(
    number: int = 1,
    kind: type[PositionEvent] = PositionOpened,
    quantity: int = LOT,
    net: str = "0",
    at_ms: int = NOW + 1000,
    **changes: Any,
) -> PositionEvent:
    """The position of signal `number`, bought at 100 with its stop at 70."""
    of_signal = identity("test signal", number)
    is_closed = kind is PositionClosed
    fields: dict[str, Any] = {
        "event_id": identity(kind.__name__, of_signal, at_ms),
        "occurred_at": utc_from_ms(at_ms),
        "trading_day": utc_from_ms(at_ms).astimezone(IST).date(),
        "correlation_id": identity("test candle", number),
        "position_id": position_id_of(of_signal),
        "signal_id": of_signal,
        "strategy": "ma_crossover",
        "underlying": "NIFTY",
        "action": "BUY",
        "tradingsymbol": "NIFTY 50",
        "contract": contract(),
        "mode": "paper",
        "quantity": 0 if is_closed else quantity,
        "bought_quantity": quantity,
        "sold_quantity": quantity if is_closed else 0,
        "buy_value": Decimal(100 * quantity),
        "sell_value": Decimal(0),
        "entry_price": Decimal(100),
        "exit_price": None,
        "last_price": Decimal(100),
        "highest_price": Decimal(100),
        "lowest_price": Decimal(100),
        "stop_loss": Decimal(70),
        "target": Decimal(160),
        "realised": Decimal(net),
        "unrealised": Decimal(0),
        "charges": Decimal(0),
        "charges_are_exact": True,
        "net": Decimal(net),
        "opened_at": utc_from_ms(NOW),
        "closed_at": utc_from_ms(at_ms) if is_closed else None,
        "fill_ids": ("a", "b") if is_closed else ("a",),
        "order_ids": (),
    }
    return kind(**(fields | changes))


def token_of(strike: float, instrument_type: str = "CE", expiry: date = EXPIRY) -> int:
    return (int(strike) * 40 + expiry.day) * 256 + (2 if instrument_type == "CE" else 3)


def option(strike: float, instrument_type: str = "CE", expiry: date = EXPIRY) -> Instrument:
    token = token_of(strike, instrument_type, expiry)
    return Instrument(
        instrument_token=token,
        exchange_token=token >> 8,
        tradingsymbol=f"NIFTY{expiry:%y%m%d}{strike:g}{instrument_type}",
        name="NIFTY",
        last_price=0.0,
        expiry=expiry,
        strike=float(strike),
        tick_size=Decimal("0.05"),
        lot_size=LOT,
        instrument_type=instrument_type,
        segment="NFO-OPT",
        exchange="NFO",
    )


def index(tradingsymbol: str = "NIFTY 50", token: int = INDEX_TOKEN) -> Instrument:
    return Instrument(
        instrument_token=token,
        exchange_token=token >> 8,
        tradingsymbol=tradingsymbol,
        name=tradingsymbol,
        last_price=0.0,
        expiry=None,
        strike=0.0,
        tick_size=Decimal("0.05"),
        lot_size=1,
        instrument_type="EQ",
        segment="INDICES",
        exchange="NSE",
    )


def listed(instrument: Instrument, day: date = DAY) -> InstrumentListed:
    fields = {name: getattr(instrument, name) for name in Instrument.__slots__}
    return InstrumentListed(
        event_id=identity("InstrumentListed", instrument.key, day),
        occurred_at=utc_from_ms(at(8, 30, day=day)),
        trading_day=day,
        correlation_id=identity("InstrumentListed", day),
        **fields,
    )


@dataclass(frozen=True, slots=True)
class Row:
    """A tick of full mode: rupees and units."""

    instrument_token: int
    last_price: float
    bid_price: float = 0.0
    ask_price: float = 0.0
    bid_quantity: int = 10_000
    ask_quantity: int = 10_000
    volume: int = 5_000
    oi: int = 50_000


def ticks(rows: Iterable[Row], at_ms: int = NOW, quoted_ms: int | None = None) -> TickBatch:
    """A frame whose clock is `at_ms`; its quotes are of `quoted_ms`."""
    given = list(rows)
    stamp = at_ms if quoted_ms is None else quoted_ms

    def floats(values: Sequence[float]) -> Any:
        return np.array(values, "<f8")

    def counts(values: Sequence[int]) -> Any:
        return np.array(values, "<i8")

    columns = TickColumns(
        instrument_token=np.array([row.instrument_token for row in given], "<u4"),
        exchange_timestamp=counts([stamp] * len(given)),
        last_price=floats([row.last_price for row in given]),
        volume_traded=counts([row.volume for row in given]),
        oi=counts([row.oi for row in given]),
        bid_price=floats([row.bid_price for row in given]),
        bid_quantity=counts([row.bid_quantity for row in given]),
        ask_price=floats([row.ask_price for row in given]),
        ask_quantity=counts([row.ask_quantity for row in given]),
    )
    event_id = identity("TickBatch", at_ms, len(given))
    return TickBatch(
        event_id=event_id,
        occurred_at=utc_from_ms(at_ms),
        trading_day=utc_from_ms(at_ms).astimezone(IST).date(),
        correlation_id=event_id,
        source="test",
        connection=0,
        sequence=0,
        partition=0,
        clock_ms=at_ms,
        received_ms=at_ms,
        columns=columns,
    )


def chain_rows(
    at_ms: int = NOW, volatility: float = 0.12, expiry: date = EXPIRY, **changes: Any
) -> list[Row]:
    """The index at SPOT, and each option quoted a tick around its Black-76 value."""
    rows = [Row(INDEX_TOKEN, SPOT)]
    years = (at(15, 30, day=expiry) - at_ms) / (365 * 24 * 3600 * 1000)
    for strike in STRIKES:
        for kind in ("CE", "PE"):
            value = float(price(SPOT, strike, years, 0.06, volatility, kind == "CE"))
            mid = round(value / 0.05) * 0.05
            quote: dict[str, Any] = {"bid_price": mid - 0.05, "ask_price": mid + 0.05}
            token = token_of(strike, kind, expiry)
            rows.append(Row(token, round(mid, 2), **(quote | changes)))
    return rows


def chain_listed(expiry: date = EXPIRY, day: date = DAY) -> list[InstrumentListed]:
    options = [option(strike, kind, expiry) for strike in STRIKES for kind in ("CE", "PE")]
    return [listed(index(), day), *(listed(one, day) for one in options)]


def make_executor(mode: Any = "paper", policy: Policy | None = None) -> OptionsExecutor:
    """An executor that knows no instruments and no quotes yet."""
    rules = policy or Policy()
    return OptionsExecutor(
        mode=mode,
        policy=rules,
        market=OptionMarket(load_calendar(), rules.chain.rate),
        rulebook=load_rulebook(),
        risk=RiskBook(rules.limits, rules.sizing.capital),
    )


def list_chain(
    executor: OptionsExecutor, now_ms: int = NOW, expiry: date = EXPIRY
) -> OptionsExecutor:
    """Let it know the day's chain and its quotes of now; each contract can be traded."""
    day = utc_from_ms(now_ms).astimezone(IST).date()
    for event in chain_listed(expiry, day):
        list(executor.on_event(event, now_ms))
    list(executor.on_event(ticks(chain_rows(now_ms, expiry=expiry), now_ms), now_ms))
    return executor


def one_trade() -> list[Event]:
    """The chain, its quotes, a signal that is traded, and the quotes that fill its entry."""
    later = ticks(chain_rows(), at_ms=NOW + 1000)
    return [*chain_listed(), ticks(chain_rows()), signal(), later]
