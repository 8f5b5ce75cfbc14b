"""What an exit knows of its contract: the touch, the last price, and the allowed prices."""

from dataclasses import dataclass
from decimal import Decimal

from libs.events.instruments import Contract
from libs.market.calendar import day_in_india
from libs.market.price_limits import option_price_limits
from libs.market.quotes import Quote
from services.executor.domain.ladder import ExitView, PriceRange
from services.executor.domain.option_market import OptionMarket

TOUCH_WITHIN_MS = 5_000
"""A bid that is older is no touch: the last known price stands in, with an alert."""


@dataclass(frozen=True, slots=True)
class ExitViews:
    """Views of contracts from the market's quotes."""

    market: OptionMarket

    def sale(self, contract: Contract, now_ms: int) -> ExitView:
        """Return what a sale of a contract knows now."""
        quote = self.market.quotes.quote(contract.instrument_token)
        last = None if quote is None else _price(quote.last_price)
        return ExitView(
            touch=None if quote is None else _bid(quote, now_ms),
            last_known=last,
            price_range=self._range(contract, last, now_ms),
            tick_size=contract.tick_size,
            may_use_market=self.market.is_index(contract.underlying),
        )

    def best_known(self, contract: Contract, now_ms: int) -> Decimal | None:
        """Return the last price, or the bid where that is higher: the last trade may be old."""
        quote = self.market.quotes.quote(contract.instrument_token)
        if quote is None:
            return None
        known = (_price(quote.last_price), _bid(quote, now_ms))
        return max((one for one in known if one is not None), default=None)

    def _range(self, contract: Contract, last: Decimal | None, now_ms: int) -> PriceRange | None:
        """Return the range of limit price protection around the last price.

        The exchange's reference is the average of the last half minute, which is not told.
        """
        if last is None:
            return None
        day = day_in_india(now_ms)
        is_index = self.market.is_index(contract.underlying)
        low, high = option_price_limits(day).protection(is_index).around(last)
        return PriceRange(low, high) if high.is_finite() else None


def _bid(quote: Quote, now_ms: int) -> Decimal | None:
    is_fresh = now_ms - quote.at_ms <= TOUCH_WITHIN_MS
    return _price(quote.bid_price) if is_fresh and quote.bid_quantity > 0 else None


def _price(price: float) -> Decimal | None:
    return Decimal(str(round(price, 2))) if price > 0 else None
