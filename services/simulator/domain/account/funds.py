"""The account's money: what positions and open orders block, and what is left."""

from collections.abc import Iterable
from decimal import Decimal

from libs.market.instruments import Instrument
from libs.market.rulebook import Rulebook
from services.simulator.domain.account.margins import Leg, Requirement, requirement
from services.simulator.domain.account.market_port import AccountMarket
from services.simulator.domain.account.order import Order
from services.simulator.domain.account.order_request import NOTHING, Terms
from services.simulator.domain.account.positions import Portfolio, Position
from services.simulator.domain.account.prices import last_price
from services.simulator.domain.account.rules import TradingLimits


class Funds:
    """Funds of the day's start, what trading added, and what is blocked; all in rupees."""

    def __init__(
        self,
        funds: Decimal,
        portfolio: Portfolio,
        market: AccountMarket,
        rulebook: Rulebook,
        limits: TradingLimits,
    ) -> None:
        self.funds = funds
        self._portfolio, self._market = portfolio, market
        self._rulebook, self._limits = rulebook, limits

    @property
    def realised(self) -> Decimal:
        """Profit of closed positions, negative for a loss."""
        return sum((position.realised for position in self._portfolio), NOTHING)

    @property
    def unrealised(self) -> Decimal:
        """Loss of open intraday equity positions together; 0 for a profit, which is not lent."""
        open_ones = [self._unrealised(p) for p in self._portfolio if p.product == "MIS"]
        return min(sum(open_ones, NOTHING), NOTHING)

    def blocked(self, orders: Iterable[Order]) -> Requirement:
        """Return what the positions and these orders block."""
        return requirement(self.legs(orders), self._limits)

    def available(self, orders: Iterable[Order]) -> Decimal:
        """Return what is left beside the positions and these orders."""
        return self.funds + self.realised + self.unrealised - self.blocked(orders).total

    def required(self, order: Order, terms: Terms, others: Iterable[Order]) -> Decimal:
        """Return what an order under these terms blocks on top of the others."""
        beside = list(others)
        without = requirement(self.legs(beside), self._limits).total
        legs = self.legs(beside)
        self._add(legs, order, terms)
        return requirement(legs, self._limits).total - without

    def legs(self, orders: Iterable[Order]) -> list[Leg]:
        """Return the positions with these orders' pending units, one leg a product."""
        legs: list[Leg] = []
        for position in self._portfolio:
            instrument = self._market.find(position.exchange, position.tradingsymbol)
            if instrument is not None and position.quantity:
                leg = self.leg(legs, instrument, position.product)
                leg.held, leg.price = position.quantity, position.average_price
        for order in orders:
            self._add(legs, order, order.terms)
        return legs

    def leg(self, legs: list[Leg], instrument: Instrument, product: str) -> Leg:
        """Return the leg of an instrument and product, added if it is not there."""
        for leg in legs:
            if leg.instrument.key == instrument.key and leg.product == product:
                return leg
        is_index_option = instrument.name in self._rulebook.index_strike_steps
        legs.append(Leg(instrument, product, is_index_option))
        return legs[-1]

    def _add(self, legs: list[Leg], order: Order, terms: Terms) -> None:
        instrument = self._market.find(order.exchange, order.tradingsymbol)
        quantity = terms.quantity - order.filled_quantity
        if instrument is None or quantity <= 0:
            return
        price = terms.price or terms.trigger_price or last_price(self._market, instrument)
        self.leg(legs, instrument, order.product).add(order.transaction_type, quantity, price)

    def _unrealised(self, position: Position) -> Decimal:
        instrument = self._market.find(position.exchange, position.tradingsymbol)
        if instrument is None or instrument.is_option:
            return NOTHING
        last = last_price(self._market, instrument)
        return position.quantity * (last - position.average_price)
