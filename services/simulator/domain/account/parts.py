"""The parts of an account that everything done for it needs."""

from dataclasses import dataclass
from datetime import date

from libs.market.calendar import load_calendar
from libs.market.instruments import Instrument
from libs.market.packaged import kept
from libs.market.rulebook import Rulebook
from services.simulator.domain.account.funds import Funds
from services.simulator.domain.account.market_port import AccountMarket
from services.simulator.domain.account.order import Order
from services.simulator.domain.account.order_book import OrderBook
from services.simulator.domain.account.order_checks import (
    Judged,
    exchange_objection,
    funds_objection,
)
from services.simulator.domain.account.order_request import Terms
from services.simulator.domain.account.positions import Portfolio, Position
from services.simulator.domain.account.rules import AccountRules, TradingLimits, trading_limits
from services.simulator.domain.account.state import AccountState
from services.simulator.domain.india_time import at_time

Objection = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class AccountParts:
    """One account's memory and parts, the market it trades on, and what holds there."""

    state: AccountState
    market: AccountMarket
    rulebook: Rulebook
    rules: AccountRules

    @property
    def limits(self) -> TradingLimits:
        """Limits of the trading day."""
        return trading_limits(self.market.trading_day)

    @property
    def book(self) -> OrderBook:
        """The orders."""
        return OrderBook(self.state, self.rules)

    @property
    def portfolio(self) -> Portfolio:
        """Positions and holdings."""
        return Portfolio(self.state.positions, self.state.holdings)

    @property
    def funds(self) -> Funds:
        """The money."""
        return self.funds_with(self.portfolio)

    def funds_with(self, portfolio: Portfolio) -> Funds:
        """Return the money as it would be with other positions."""
        return Funds(self.state.funds, portfolio, self.market, self.rulebook, self.limits)

    def instrument(self, traded: Order | Position) -> Instrument:
        """Return the instrument of an order or a position; raises LookupError if not listed."""
        instrument = self.market.find(traded.exchange, traded.tradingsymbol)
        if instrument is None:
            raise LookupError(f"{traded.exchange}:{traded.tradingsymbol} is not listed")
        return instrument

    def closes_ms(self, exchange: str) -> int | None:
        """Close of the day's last session in epoch ms, or None on a closed day."""
        return _closes_ms(exchange, self.market.trading_day)

    def square_off_ms(self, exchange: str) -> int | None:
        """When the broker closes intraday positions, in epoch ms, or None if never."""
        day = self.market.trading_day
        at = self.rulebook.broker_square_off("MIS", day, exchange)
        return None if at is None else at_time(day, at)

    def in_book(self, besides: Order | None = None) -> list[Order]:
        """Orders that the exchange has and that may still fill, without one."""
        return [order for order in self.book if order.is_in_book and order is not besides]

    def judged(self, order: Order, terms: Terms, at_ms: int) -> Judged:
        """Return an order under these terms with what it is checked by."""
        instrument = self.instrument(order)
        return Judged(order, terms, instrument, self.market, self.rulebook, self.limits, at_ms)

    def objection(self, order: Order, terms: Terms, at_ms: int) -> Objection | None:
        """Return why an order under these terms is rejected: message and raw message, or None."""
        judged = self.judged(order, terms, at_ms)
        reason = exchange_objection(judged) or self._undeliverable(order, terms)
        if reason is not None:
            return reason, None
        return self.funds_objection(order, terms, self.in_book(besides=order))

    def funds_objection(
        self, order: Order, terms: Terms, others: list[Order]
    ) -> tuple[str, str] | None:
        """Return why the funds do not suffice for an order beside the others, or None."""
        required = self.funds.required(order, terms, others)
        return funds_objection(required, self.funds.available(others))

    def _undeliverable(self, order: Order, terms: Terms) -> str | None:
        if order.is_buy or order.product != "CNC":
            return None
        promised = sum(
            other.pending_quantity
            for other in self.in_book(besides=order)
            if other.product == "CNC" and not other.is_buy and _same(other, order)
        )
        free = self.portfolio.deliverable(order.exchange, order.tradingsymbol) - promised
        if terms.quantity - order.filled_quantity <= free:
            return None
        return f"Insufficient stock holding. Free quantity is {max(free, 0)}."


@kept
def _closes_ms(exchange: str, on: date) -> int | None:
    sessions = load_calendar().sessions(exchange, on)
    return sessions[-1].close_ms if sessions else None


def _same(one: Order, other: Order) -> bool:
    return (one.exchange, one.tradingsymbol) == (other.exchange, other.tradingsymbol)
