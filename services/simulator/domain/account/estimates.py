"""Margins and charges of orders that are only asked about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from libs.market.charges import Charges, option_charges
from libs.market.instruments import Instrument
from services.simulator.domain.account.fields import one_of, read_amount, read_count
from services.simulator.domain.account.margins import Leg, Requirement, requirement
from services.simulator.domain.account.order_replies import number
from services.simulator.domain.account.order_request import (
    NOTHING,
    PRODUCTS,
    TRANSACTION_TYPES,
    find_instrument,
)
from services.simulator.domain.account.parts import AccountParts
from services.simulator.domain.account.prices import last_price
from services.simulator.domain.account.rules import EquityCharges


@dataclass(frozen=True, slots=True)
class Asked:
    """An order asked about, with the price at which it is reckoned in rupees."""

    instrument: Instrument
    transaction_type: str
    product: str
    quantity: int
    price: Decimal
    fields: Mapping[str, Any]

    @property
    def signed_quantity(self) -> int:
        """Units, negative for a sale."""
        return self.quantity if self.transaction_type == "BUY" else -self.quantity

    @property
    def value(self) -> Decimal:
        """Turnover in rupees."""
        return self.quantity * self.price


def read_asked(orders: Sequence[Mapping[str, Any]], parts: AccountParts) -> list[Asked]:
    """Read orders of a JSON body; raises InputError. Without a price the last price stands in."""
    return [_read(order, parts) for order in orders]


def _read(order: Mapping[str, Any], parts: AccountParts) -> Asked:
    fields = {name: str(value) for name, value in order.items() if value is not None}
    instrument = find_instrument(fields, parts.market)
    prices = (read_amount(fields, n) for n in ("average_price", "price") if fields.get(n))
    return Asked(
        instrument=instrument,
        transaction_type=one_of(fields, "transaction_type", TRANSACTION_TYPES),
        product=one_of(fields, "product", PRODUCTS[instrument.exchange]),
        quantity=read_count(fields, "quantity"),
        price=next((price for price in prices if price), last_price(parts.market, instrument)),
        fields=fields,
    )


def order_margins(asked: Sequence[Asked], parts: AccountParts) -> list[dict[str, Any]]:
    """Return what each order would block by itself; a sold option's premium is not set off."""
    return [_order_margin(one, parts) for one in asked]


def basket_margins(
    asked: Sequence[Asked], parts: AccountParts, consider_positions: bool
) -> dict[str, Any]:
    """Return what a basket blocks order by order, and once all of it is filled.

    The rows of `initial`, `final` and the basket's own charges carry no charges but Kite's sums.
    """
    held = parts.funds.legs(()) if consider_positions else []
    before = requirement(held, parts.limits)
    singly = sum((_requirement(one, parts) for one in asked), before)
    for one in asked:
        _take(held, one, parts)
    charges = sum((charges_of(one, parts) for one in asked), Charges())
    return {
        "initial": _row(None, singly, _charges_row(Charges(), "")),
        "final": _row(None, requirement(held, parts.limits), _charges_row(Charges(), "")),
        "orders": order_margins(asked, parts),
        "charges": _charges_row(charges, ""),
    }


def contract_note(asked: Sequence[Asked], parts: AccountParts) -> list[dict[str, Any]]:
    """Return the charges of each order at its average price."""
    return [
        {
            "transaction_type": one.transaction_type,
            "tradingsymbol": one.instrument.tradingsymbol,
            "exchange": one.instrument.exchange,
            "variety": one.fields.get("variety", "regular"),
            "product": one.product,
            "order_type": one.fields.get("order_type", "MARKET"),
            "quantity": one.quantity,
            "price": number(one.price),
            "charges": _charges_row(charges_of(one, parts), "stt"),
        }
        for one in asked
    ]


def charges_of(asked: Asked, parts: AccountParts) -> Charges:
    """Return the charges of one order in rupees."""
    if not asked.instrument.is_option:
        return _equity_charges(asked, parts.limits.equity_charges)
    rates = parts.rulebook.charges(parts.market.trading_day).value
    return option_charges(rates, "BUY" if asked.transaction_type == "BUY" else "SELL", asked.value)


def _equity_charges(asked: Asked, rates: EquityCharges) -> Charges:
    is_buy, is_delivery = asked.transaction_type == "BUY", asked.product == "CNC"
    intraday_stt = NOTHING if is_buy else rates.stt_intraday_sale
    stamp = rates.stamp_delivery if is_delivery else rates.stamp_intraday
    brokerage = min(asked.value * rates.brokerage, rates.brokerage_cap)
    brokerage = NOTHING if is_delivery else round(brokerage, 2)
    exchange, sebi = round(asked.value * rates.exchange, 2), round(asked.value * rates.sebi, 2)
    return Charges(
        brokerage=brokerage,
        stt=round(asked.value * (rates.stt_delivery if is_delivery else intraday_stt), 2),
        exchange=exchange,
        sebi=sebi,
        stamp=round(asked.value * stamp, 2) if is_buy else NOTHING,
        gst=round((brokerage + exchange + sebi) * rates.gst, 2),
    )


def _requirement(asked: Asked, parts: AccountParts) -> Requirement:
    leg = parts.funds.leg([], asked.instrument, asked.product)
    leg.add(asked.transaction_type, asked.quantity, asked.price)
    return requirement([leg], parts.limits)


def _take(legs: list[Leg], asked: Asked, parts: AccountParts) -> None:
    """Add an order to the legs as if it were filled."""
    leg = parts.funds.leg(legs, asked.instrument, asked.product)
    quantity = leg.held + asked.signed_quantity
    is_growing = leg.held * asked.signed_quantity >= 0
    if is_growing:
        value = leg.held * leg.price + asked.signed_quantity * asked.price
        leg.price = value / quantity if quantity else NOTHING
    elif quantity * leg.held < 0:
        leg.price = asked.price
    leg.held = quantity


def _order_margin(asked: Asked, parts: AccountParts) -> dict[str, Any]:
    charges = _charges_row(charges_of(asked, parts), "stt")
    row = _row(asked, _requirement(asked, parts), charges)
    is_intraday_equity = asked.product == "MIS" and not asked.instrument.is_option
    leverage = parts.limits.equity_intraday_leverage if is_intraday_equity else Decimal(1)
    return row | {"leverage": number(leverage)}


def _row(asked: Asked | None, blocked: Requirement, charges: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "" if asked is None else "equity",
        "tradingsymbol": "" if asked is None else asked.instrument.tradingsymbol,
        "exchange": "" if asked is None else asked.instrument.exchange,
        "span": number(blocked.span),
        "exposure": number(blocked.exposure),
        "option_premium": number(blocked.option_premium),
        "additional": 0,
        "bo": 0,
        "cash": 0,
        "var": number(blocked.equity),
        "pnl": {"realised": 0, "unrealised": 0},
        "leverage": 0,
        "charges": charges,
        "total": number(blocked.total),
    }


def _charges_row(charges: Charges, transaction_tax_type: str) -> dict[str, Any]:
    gst = number(charges.gst)
    return {
        "transaction_tax": number(charges.stt),
        "transaction_tax_type": transaction_tax_type,
        "exchange_turnover_charge": number(charges.exchange),
        "sebi_turnover_charge": number(charges.sebi),
        "brokerage": number(charges.brokerage),
        "stamp_duty": number(charges.stamp),
        "gst": {"igst": gst, "cgst": 0, "sgst": 0, "total": gst},
        "total": number(charges.total),
    }
