"""What the paper venue refuses, as the exchange and the broker would."""

import asyncio
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from libs.broker.errors import OrderRefused
from libs.broker.paper import PaperBroker, PaperConnector, PaperRules
from libs.broker.paper_exchange import PaperExchange
from libs.broker.port import Margin, OrderRequest
from libs.market.calendar import IST
from libs.market.instruments import Instrument
from libs.market.quotes import QuoteBook
from tests.unit.libs.broker.builders import TOKEN, request

AT_TEN = datetime(2026, 6, 16, 10, tzinfo=IST)
TEN_MS = round(AT_TEN.timestamp() * 1000)
HOUR_MS = 3_600_000
LOT = 65
CONTRACT = Instrument(
    instrument_token=TOKEN,
    exchange_token=TOKEN >> 8,
    tradingsymbol="NIFTY2661625000CE",
    name="NIFTY",
    last_price=0.0,
    expiry=date(2026, 6, 16),
    strike=25_000.0,
    tick_size=Decimal("0.05"),
    lot_size=LOT,
    instrument_type="CE",
    segment="NFO-OPT",
    exchange="NFO",
)


def order(tag: str = "A" * 20, **changes: Any) -> OrderRequest:
    fields: dict[str, Any] = {"quantity": LOT, "price": Decimal(100), "placed_ms": TEN_MS}
    return request(tag, **(fields | changes))


def sale(**changes: Any) -> OrderRequest:
    return order(**({"transaction_type": "SELL"} | changes))


def stop(**changes: Any) -> OrderRequest:
    fields: dict[str, Any] = {"trigger_price": Decimal(90), "price": Decimal(80)}
    return sale(order_type="SL", **(fields | changes))


def quote(last_price: float = 100.0, after_ms: int = 0) -> QuoteBook:
    book = QuoteBook([TOKEN])
    book.update(
        [TOKEN],
        [TEN_MS + after_ms],
        last_price=[last_price],
        bid_price=[last_price - 0.5],
        bid_quantity=[10_000],
        ask_price=[last_price + 0.5],
        ask_quantity=[10_000],
    )
    return book


def venue(rules: PaperRules | None = None) -> PaperBroker:
    made = PaperBroker(rules or PaperRules(latency_ms=500), PaperExchange())
    made.list_instrument(CONTRACT)
    made.on_quotes(quote())
    return made


@pytest.mark.parametrize(
    "taken",
    [
        order(),
        order(price=Decimal(140)),
        order(price=Decimal("0.05")),  # far below: passive
        sale(price=Decimal(60)),
        sale(price=Decimal(900)),
        order(quantity=27 * LOT),
        sale(order_type="MARKET", price=Decimal(0)),
        stop(),
        stop(
            trigger_price=Decimal(100) - Decimal("0.05"), price=Decimal("79.96") + Decimal("0.04")
        ),
    ],
)
def test_what_the_exchange_takes_is_taken(taken: OrderRequest) -> None:
    assert asyncio.run(venue().place(taken)) == f"paper-{taken.tag}"


@pytest.mark.parametrize(
    ("unfit", "why"),
    [
        (order(placed_ms=TEN_MS - HOUR_MS), "closed"),
        (order(placed_ms=TEN_MS + 6 * HOUR_MS), "closed"),
        (order(placed_ms=TEN_MS + 4 * 24 * HOUR_MS), "closed"),  # a Saturday
        (order(quantity=LOT + 1), "multiple of the lot size, 65"),
        (order(quantity=28 * LOT), "freeze quantity of 1800"),
        (order(price=Decimal("100.02")), "Tick size is 0.05"),
        (stop(trigger_price=Decimal("90.01")), "Tick size is 0.05"),
        (order(price=Decimal("140.05")), "limit price protection"),
        (sale(price=Decimal("59.95")), "limit price protection"),
        (stop(trigger_price=Decimal(0)), "missing"),
        (stop(trigger_price=Decimal(100)), "lower than the last"),
        (stop(price=Decimal("71.95")), "at most 18"),
        (stop(price=Decimal("90.05")), "at or below its trigger"),
        (
            stop(transaction_type="BUY", trigger_price=Decimal(100), price=Decimal(110)),
            "higher than the last",
        ),
    ],
)
def test_what_it_refuses_is_refused_with_its_reason_and_is_not_in_the_book(
    unfit: OrderRequest, why: str
) -> None:
    made = venue()
    with pytest.raises(OrderRefused, match=why):
        asyncio.run(made.place(unfit))
    assert list(asyncio.run(made.orders())) == []


def test_a_change_is_held_to_the_same_rules_and_leaves_the_order_as_it_was() -> None:
    made = venue()
    broker_order_id = asyncio.run(made.place(order(price=Decimal(90))))
    for quantity, price in ((LOT + 1, "90"), (LOT, "90.01"), (LOT, "200"), (28 * LOT, "90")):
        with pytest.raises(OrderRefused):
            asyncio.run(made.modify(broker_order_id, quantity, Decimal(price)))
    (update,) = asyncio.run(made.orders())
    assert update.quantity == LOT
    assert made.modifications_left(broker_order_id) == 25


def test_what_is_not_known_refuses_nothing() -> None:
    made = PaperBroker(PaperRules(), PaperExchange())
    asyncio.run(made.place(order(quantity=1, price=Decimal("9999.99"))))
    asyncio.run(made.place(order("B" * 20, placed_ms=TEN_MS + 20 * 365 * 24 * HOUR_MS)))


def test_the_venue_of_the_settings_keeps_the_exchanges_hours() -> None:
    with pytest.raises(OrderRefused, match="closed"):
        asyncio.run(PaperConnector(PaperRules()).venue().place(order(placed_ms=TEN_MS - HOUR_MS)))


def test_with_a_capital_purchases_are_paid_for_and_sales_pay_in() -> None:
    made = venue(PaperRules(latency_ms=500, capital=Decimal(10_000)))
    asyncio.run(made.place(order()))  # blocks 6,500
    assert asyncio.run(made.margins()) == {"equity": Margin(Decimal(3500), Decimal(6500))}
    with pytest.raises(OrderRefused, match=r"Insufficient funds. Required margin is 6500.00"):
        asyncio.run(made.place(order("B" * 20)))
    assert asyncio.run(made.required_margin(order())) == Decimal(6500)
    made.on_quotes(quote(after_ms=1000, last_price=99.0))  # bought at 99.50
    assert asyncio.run(made.margins())["equity"].used == Decimal("99.5") * LOT
    asyncio.run(made.place(sale(tag="C" * 20, price=Decimal(100), placed_ms=TEN_MS + 1000)))
    made.on_quotes(quote(after_ms=2000, last_price=120.0))
    free = Decimal(10_000) + (Decimal("119.5") - Decimal("99.5")) * LOT
    assert asyncio.run(made.margins())["equity"].available == free


def test_a_change_may_use_what_the_order_blocks_already() -> None:
    made = venue(PaperRules(latency_ms=500, capital=Decimal(10_000)))
    broker_order_id = asyncio.run(made.place(order(price=Decimal(90))))
    asyncio.run(made.modify(broker_order_id, LOT, Decimal(99)))
    with pytest.raises(OrderRefused, match="Insufficient funds"):
        asyncio.run(made.modify(broker_order_id, 2 * LOT, Decimal(99)))


def test_without_a_capital_there_are_no_funds_and_nothing_is_refused_for_want_of_them() -> None:
    made = venue()
    asyncio.run(made.place(order(quantity=27 * LOT)))
    assert asyncio.run(made.margins()) == {}
    assert asyncio.run(made.required_margin(order())) is None
