"""A trading account at the simulated broker: orders in, Kite's replies out."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from libs.market.rulebook import Rulebook
from services.simulator.domain.account.acts import Acts
from services.simulator.domain.account.conversion import convert
from services.simulator.domain.account.estimates import (
    basket_margins,
    contract_note,
    order_margins,
    read_asked,
)
from services.simulator.domain.account.gateway import Gateway
from services.simulator.domain.account.market_port import AccountMarket
from services.simulator.domain.account.order_flow import OrderFlow
from services.simulator.domain.account.order_replies import trade_row
from services.simulator.domain.account.parts import AccountParts
from services.simulator.domain.account.portfolio_replies import (
    commodity_margins,
    day_row,
    equity_margins,
    holding_row,
    position_row,
)
from services.simulator.domain.account.rules import AccountRules
from services.simulator.domain.account.state import AccountState, begin_day, from_json, to_json
from services.simulator.domain.errors import InputError

_DEFAULT_RULES = AccountRules()
_NO_SLICES: Mapping[int, str] = MappingProxyType({})


class Account:
    """One user's orders, positions and funds on a market.

    Replies are the `data` of Kite's; refusals are KiteErrors. Times are epoch ms and must not go
    back; the same calls always give the same replies and numbers.
    """

    def __init__(
        self,
        user_id: str,
        market: AccountMarket,
        rulebook: Rulebook,
        rules: AccountRules = _DEFAULT_RULES,
    ) -> None:
        self._open(AccountState(user_id, market.trading_day, rules.funds), market, rulebook, rules)

    def _open(
        self, state: AccountState, market: AccountMarket, rulebook: Rulebook, rules: AccountRules
    ) -> None:
        self._parts = AccountParts(state, market, rulebook, rules)
        self._gateway, self._exchange = Gateway(self._parts), OrderFlow(self._parts)
        self.acts = Acts(self._parts, self._exchange)

    def place(
        self,
        variety: str,
        fields: Mapping[str, str],
        now_ms: int,
        refused_slices: Mapping[int, str] = _NO_SLICES,
    ) -> dict[str, Any]:
        """Register an order: its `order_id`, with autoslice also its `children`.

        `refused_slices` are the words with which children are refused; the first one is 1. Raises
        InputError for malformed fields and OrderError for what cannot be placed now.
        """
        return self._gateway.place(variety, fields, now_ms, refused_slices)

    def modify(
        self, variety: str, order_id: str, fields: Mapping[str, str], now_ms: int
    ) -> dict[str, Any]:
        """Register a modification; raises NotFound, InputError, or OrderError unless at rest."""
        return self._gateway.modify(variety, order_id, fields, now_ms)

    def cancel(self, variety: str, order_id: str, now_ms: int) -> dict[str, Any]:
        """Register a cancellation; raises NotFound, or OrderError unless the order is at rest."""
        return self._gateway.cancel(variety, order_id, now_ms)

    def match(self, now_ms: int) -> None:
        """Take the orders through one second, after the market's quotes have moved."""
        self._exchange.match(now_ms)

    def orders(self) -> list[dict[str, Any]]:
        """Return the order book of the day, first placed first."""
        return [self._parts.book.row(order) for order in self._parts.book]

    def order_history(self, order_id: str) -> list[dict[str, Any]]:
        """Return an order's steps, first one first; raises NotFound."""
        return [dict(row) for row in self._parts.book.find(order_id).history]

    def trades(self) -> list[dict[str, Any]]:
        """Return the fills of the day."""
        return [trade_row(fill) for fill in self._parts.state.fills]

    def order_trades(self, order_id: str) -> list[dict[str, Any]]:
        """Return the fills of an order; raises NotFound."""
        order = self._parts.book.find(order_id)
        fills = self._parts.state.fills
        return [trade_row(fill) for fill in fills if fill.order_id == order.order_id]

    def positions(self) -> dict[str, list[dict[str, Any]]]:
        """Return net positions and those of the day's trading alone."""
        parts = self._parts
        net = [p for p in parts.portfolio if p.buy_quantity or p.sell_quantity]
        traded = [p for p in net if p.day_buy_quantity or p.day_sell_quantity]
        return {
            "net": [position_row(position, parts) for position in net],
            "day": [day_row(position, parts) for position in traded],
        }

    def holdings(self) -> list[dict[str, Any]]:
        """Return the shares held since an earlier day."""
        return [holding_row(holding, self._parts) for holding in self._parts.portfolio.holdings]

    def margins(self, segment: str | None = None) -> dict[str, Any]:
        """Return the funds of `equity` or `commodity`, or of both; raises InputError."""
        segments = {"equity": equity_margins(self._parts), "commodity": commodity_margins()}
        if segment is None:
            return segments
        if segment not in segments:
            raise InputError("Invalid `segment`.")
        return segments[segment]

    def convert(self, fields: Mapping[str, str]) -> bool:
        """Convert a position to another product; raises InputError or MarginError."""
        return convert(fields, self._parts)

    def order_margins(self, orders: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the margin and charges of each order by itself; raises InputError."""
        return order_margins(read_asked(orders, self._parts), self._parts)

    def basket_margins(
        self, orders: Sequence[Mapping[str, Any]], consider_positions: bool
    ) -> dict[str, Any]:
        """Return the margins of orders together, before and after hedging; raises InputError."""
        return basket_margins(read_asked(orders, self._parts), self._parts, consider_positions)

    def contract_note(self, orders: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the charges of each order; raises InputError."""
        return contract_note(read_asked(orders, self._parts), self._parts)

    def take_updates(self) -> list[dict[str, Any]]:
        """Return the order updates since the last call, first one first."""
        updates, self._parts.state.updates = self._parts.state.updates, []
        return updates

    def knows(self, exchange: str, tradingsymbol: str) -> bool:
        """Whether an instrument is listed."""
        return self._parts.market.find(exchange, tradingsymbol) is not None

    def working_tokens(self) -> set[int]:
        """Return the tokens of contracts with working orders or a net position."""
        parts = self._parts
        ordered = {parts.instrument(order).instrument_token for order in parts.book.working()}
        held = {parts.instrument(p).instrument_token for p in parts.portfolio if p.quantity}
        return ordered | held

    def dump(self) -> dict[str, Any]:
        """Return everything the account must remember, ready for JSON."""
        return to_json(self._parts.state)

    @classmethod
    def load(
        cls, state: dict[str, Any], market: AccountMarket, rulebook: Rulebook, rules: AccountRules
    ) -> "Account":
        """Return the account of a dump; on a later trading day with its positions carried over.

        Raises ValueError if it is not a dump.
        """
        account, known = cls.__new__(cls), from_json(state)
        if known.trading_day < market.trading_day:
            keys = {(o.exchange, o.tradingsymbol) for o in known.orders.values()}
            keys |= {(p.exchange, p.tradingsymbol) for p in known.positions.values()}
            found = {key: market.find(*key) for key in keys}
            listed = {i.key: i.instrument_token for i in found.values() if i is not None}
            known = begin_day(known, market.trading_day, listed)
        account._open(known, market, rulebook, rules)
        return account
