"""A small exchange whose quotes the tests set, and orders to place on it."""

import json
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from libs.market.calendar import IST
from libs.market.instruments import Catalog, Instrument
from libs.market.quotes import Quote
from libs.market.rulebook import load_rulebook
from services.simulator.domain.account import Account, AccountRules

DAY = date(2026, 6, 10)
OPTION = 1001 * 256 + 2
HEDGE = 1002 * 256 + 2
PUT = 1003 * 256 + 2
STOCK = 2885 * 256 + 1
INDEX = 1 * 256 + 9


def option(token: int, strike: float, kind: str = "CE") -> Instrument:
    """Return a NIFTY option of one expiry with lots of 65."""
    return Instrument(
        instrument_token=token,
        exchange_token=token >> 8,
        tradingsymbol=f"NIFTY26JUN{strike:.0f}{kind}",
        name="NIFTY",
        last_price=0.0,
        expiry=date(2026, 6, 30),
        strike=strike,
        tick_size=Decimal("0.05"),
        lot_size=65,
        instrument_type=kind,
        segment="NFO-OPT",
        exchange="NFO",
    )


def share(token: int, tradingsymbol: str, segment: str = "NSE") -> Instrument:
    """Return a share or an index of NSE."""
    return Instrument(
        instrument_token=token,
        exchange_token=token >> 8,
        tradingsymbol=tradingsymbol,
        name=tradingsymbol,
        last_price=0.0,
        expiry=None,
        strike=0.0,
        tick_size=Decimal("0.05") if segment == "NSE" else Decimal(0),
        lot_size=1 if segment == "NSE" else 0,
        instrument_type="EQ",
        segment=segment,
        exchange="NSE",
    )


LISTED = (
    option(OPTION, 25000),
    option(HEDGE, 25100),
    option(PUT, 24000, "PE"),
    share(STOCK, "RELIANCE"),
    share(INDEX, "NIFTY 50", "INDICES"),
)
CALL = "NIFTY26JUN25000CE"


def at(clock: str, day: date = DAY) -> int:
    """Epoch ms of a time of the day in India."""
    hour, minute, *rest = clock.split(":")
    second = float(rest[0]) if rest else 0.0
    whole = datetime(day.year, day.month, day.day, int(hour), int(minute), tzinfo=IST)
    return round(whole.timestamp() * 1000 + second * 1000)


class MarketStandIn:
    """A market as an account sees it: open in NSE's hours unless halted."""

    def __init__(self, trading_day: date = DAY, instruments: Any = LISTED) -> None:
        self.trading_day = trading_day
        self.catalog = Catalog(instruments)
        self.quotes: dict[int, Quote] = {}
        self.closes: dict[int, float] = {}
        self.references: dict[int, float] = {}
        self.circuits: dict[int, tuple[float, float]] = {}
        self.is_halted = False

    def find(self, exchange: str, tradingsymbol: str) -> Instrument | None:
        return self.catalog.find(exchange, tradingsymbol)

    def by_token(self, instrument_token: int) -> Instrument | None:
        return self.catalog.by_token(instrument_token)

    def quote(self, instrument_token: int) -> Quote | None:
        return self.quotes.get(instrument_token)

    def previous_close(self, instrument_token: int) -> float:
        return self.closes.get(instrument_token, 0.0)

    def reference_price(self, instrument_token: int) -> float:
        return self.references.get(instrument_token, 0.0)

    def circuit_limits(self, instrument_token: int) -> tuple[float, float]:
        return self.circuits.get(instrument_token, (0.0, 0.0))

    def is_open(self, instrument: Instrument, at_ms: int) -> bool:
        is_session = at("09:15", self.trading_day) <= at_ms < at("15:30", self.trading_day)
        return is_session and not self.is_halted

    def show(
        self,
        at_ms: int,
        bid: float = 99.95,
        ask: float = 100.05,
        quantity: int = 6500,
        last: float | None = None,
        token: int = OPTION,
    ) -> None:
        """Quote an instrument; without `last` the last price is the middle."""
        middle = (bid + ask) / 2 if last is None else last
        self.quotes[token] = Quote(at_ms, middle, 0, 0, bid, quantity, ask, quantity)


class Floor:
    """An account on a market, and a clock that goes on by whole seconds."""

    def __init__(self, start: str = "10:00:00", **rules: Any) -> None:
        self.market = MarketStandIn()
        self.rules = AccountRules(**rules)
        self.account = Account("AB1234", self.market, load_rulebook(), self.rules)
        self.now_ms = at(start)
        self.market.show(self.now_ms)
        self.market.show(self.now_ms, 1499.9, 1500.1, 1000, token=STOCK)

    def place(self, variety: str = "regular", **fields: Any) -> str:
        """Place an order now, by default a LIMIT purchase of one lot at 100.10."""
        reply = self.account.place(variety, order(**fields), self.now_ms)
        return str(reply["order_id"])

    def go(self, seconds: int = 1, **quote: Any) -> None:
        """Let seconds pass; each shows the quote of the option and matches."""
        for _ in range(seconds):
            self.now_ms += 1000
            self.market.show(self.now_ms, **quote)
            self.account.match(self.now_ms)

    def jump(self, clock: str, **quote: Any) -> None:
        """Go to the second before a time of the day and let one pass."""
        self.now_ms = at(clock) - 1000
        self.go(**quote)

    def row(self, order_id: str) -> dict[str, Any]:
        """Return the order's row of the order book."""
        return next(row for row in self.account.orders() if row["order_id"] == order_id)

    def statuses(self, order_id: str) -> list[str]:
        """Return the states that the order went through."""
        return [row["status"] for row in self.account.order_history(order_id)]

    def updates(self) -> list[str]:
        """Return the states of the updates since the last time."""
        return [update["status"] for update in self.account.take_updates()]

    def restart(self) -> None:
        """Replace the account by one loaded from its dump."""
        dumped = json.loads(json.dumps(self.account.dump()))
        self.account = Account.load(dumped, self.market, load_rulebook(), self.rules)


def order(**fields: Any) -> dict[str, str]:
    """Return form fields; a field that is None is left out."""
    usual = {
        "exchange": "NFO",
        "tradingsymbol": CALL,
        "transaction_type": "BUY",
        "order_type": "LIMIT",
        "quantity": 65,
        "product": "NRML",
        "price": "100.10",
        "validity": "DAY",
    }
    return {name: str(value) for name, value in (usual | fields).items() if value is not None}


def with_tokens_of_another_day(instruments: tuple[Instrument, ...]) -> tuple[Instrument, ...]:
    """Return the instruments under other tokens, as on a later day."""
    return tuple(
        replace(one, instrument_token=one.instrument_token + 4096 * 256) for one in instruments
    )
