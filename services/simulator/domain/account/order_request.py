"""What a client asks for, read from its form fields: the checks of Kite's gateway.

Whatever the fields alone or the instrument list show to be wrong is refused at once with an
InputError and leaves no order. What depends on the market, the contract's terms or the account is
judged later and leaves a rejected order: see `order_checks`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from libs.market.instruments import Instrument
from services.simulator.domain.account.fields import one_of, read_amount, read_count, required
from services.simulator.domain.account.market_port import AccountMarket
from services.simulator.domain.account.rules import TradingLimits
from services.simulator.domain.errors import InputError

TRANSACTION_TYPES = ("BUY", "SELL")
ORDER_TYPES = ("MARKET", "LIMIT", "SL", "SL-M")
VALIDITIES = ("DAY", "IOC", "TTL")
_CASH, _DERIVATIVES = ("CNC", "MIS"), ("NRML", "MIS")
PRODUCTS = {"NSE": _CASH, "NFO": _DERIVATIVES, "BSE": _CASH, "BFO": _DERIVATIVES}
VARIETIES = ("regular", "amo")
AUTOMATIC = Decimal(-1)
NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Terms:
    """What of an order can be modified: prices in rupees, quantities in units.

    A `price` or `trigger_price` of 0 is none; `validity_ttl` in minutes; `market_protection` in
    percent, -1 for automatic, 0 for none.
    """

    quantity: int
    order_type: str
    price: Decimal = NOTHING
    trigger_price: Decimal = NOTHING
    validity: str = "DAY"
    validity_ttl: int = 0
    disclosed_quantity: int = 0
    market_protection: Decimal = NOTHING

    @property
    def has_trigger(self) -> bool:
        """Whether the order waits for a trigger price."""
        return self.order_type in ("SL", "SL-M")

    @property
    def limit(self) -> Decimal | None:
        """Worst price at which it may fill, or None for a market order without protection."""
        return self.price if self.order_type in ("LIMIT", "SL") else None


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """A well-formed request to place an order."""

    variety: str
    instrument: Instrument
    transaction_type: str
    product: str
    terms: Terms
    tag: str | None = None
    is_autoslice: bool = False


def read_order(
    variety: str, fields: Mapping[str, str], market: AccountMarket, limits: TradingLimits
) -> OrderRequest:
    """Read the fields of a new order; raises InputError with Kite's words."""
    _check_variety(variety)
    instrument = find_instrument(fields, market)
    transaction_type = one_of(fields, "transaction_type", TRANSACTION_TYPES)
    request = OrderRequest(
        variety=variety,
        instrument=instrument,
        transaction_type=transaction_type,
        product=one_of(fields, "product", PRODUCTS[instrument.exchange]),
        terms=_read_terms(fields),
        tag=_read_tag(fields, limits),
        is_autoslice=fields.get("autoslice", "").lower() == "true",
    )
    check_terms(request.terms, transaction_type, instrument, limits)
    return request


def read_modification(
    fields: Mapping[str, str],
    terms: Terms,
    transaction_type: str,
    instrument: Instrument,
    limits: TradingLimits,
) -> Terms:
    """Read the changed fields of an order, the others stay; raises InputError."""
    order_type = one_of({"order_type": terms.order_type, **fields}, "order_type", ORDER_TYPES)
    changed = replace(
        terms,
        quantity=_count(fields, "quantity", terms.quantity),
        order_type=order_type,
        price=_price(fields, "price", terms.price),
        trigger_price=_price(fields, "trigger_price", terms.trigger_price),
        validity=one_of({"validity": terms.validity, **fields}, "validity", VALIDITIES),
        validity_ttl=_count(fields, "validity_ttl", terms.validity_ttl),
        disclosed_quantity=_count(fields, "disclosed_quantity", terms.disclosed_quantity),
        market_protection=_protection(fields),
    )
    check_terms(changed, transaction_type, instrument, limits)
    return _without_unused_prices(changed)


def find_instrument(fields: Mapping[str, str], market: AccountMarket) -> Instrument:
    """Return the tradable instrument named by `exchange` and `tradingsymbol`."""
    exchange = one_of(fields, "exchange", tuple(PRODUCTS))
    instrument = market.find(exchange, required(fields, "tradingsymbol"))
    if instrument is None:
        raise InputError(
            "The instrument you are placing an order for has either expired or does not exist."
        )
    if instrument.is_index:
        raise InputError(f"{instrument.tradingsymbol} is an index and cannot be traded.")
    return instrument


def check_terms(
    terms: Terms, transaction_type: str, instrument: Instrument, limits: TradingLimits
) -> None:
    """Raise InputError for terms that contradict themselves or the kind of instrument."""
    if terms.quantity <= 0:
        raise InputError("Invalid `quantity`. It should be more than 0.")
    if terms.order_type in ("LIMIT", "SL") and terms.price <= 0:
        raise InputError(f"Missing or empty field `price` for a {terms.order_type} order.")
    if terms.has_trigger and terms.trigger_price <= 0:
        raise InputError(f"Missing or empty field `trigger_price` for a {terms.order_type} order.")
    if terms.order_type == "SL-M" and instrument.is_option and not limits.option_stop_market:
        raise InputError("SL-M orders are not allowed for options. Use an SL order with a limit.")
    if terms.order_type == "SL":
        _check_trigger(terms, transaction_type)
    if terms.validity == "TTL" and terms.validity_ttl <= 0:
        raise InputError("Missing or empty field `validity_ttl` for validity TTL.")
    _check_disclosed(terms, instrument)
    _check_protection(terms, limits)


def _check_variety(variety: str) -> None:
    if variety in ("co", "iceberg", "auction"):
        raise InputError(f"Variety `{variety}` is not supported by the simulated exchange.")
    if variety not in VARIETIES:
        raise InputError("Invalid `variety`.")


def _read_terms(fields: Mapping[str, str]) -> Terms:
    terms = Terms(
        quantity=read_count(fields, "quantity"),
        order_type=one_of(fields, "order_type", ORDER_TYPES),
        price=_price(fields, "price", NOTHING),
        trigger_price=_price(fields, "trigger_price", NOTHING),
        validity=one_of({"validity": "DAY", **fields}, "validity", VALIDITIES),
        validity_ttl=_count(fields, "validity_ttl", 0),
        disclosed_quantity=_count(fields, "disclosed_quantity", 0),
        market_protection=_protection(fields),
    )
    return _without_unused_prices(terms)


def _without_unused_prices(terms: Terms) -> Terms:
    """Drop prices that the order type does not use, as Kite does."""
    return replace(
        terms,
        price=terms.price if terms.limit is not None else NOTHING,
        trigger_price=terms.trigger_price if terms.has_trigger else NOTHING,
        validity_ttl=terms.validity_ttl if terms.validity == "TTL" else 0,
    )


def _read_tag(fields: Mapping[str, str], limits: TradingLimits) -> str | None:
    tag = fields.get("tag", "")
    if len(tag) > limits.tag_length or (tag and not (tag.isascii() and tag.isalnum())):
        raise InputError(f"Invalid `tag`. At most {limits.tag_length} letters and digits.")
    return tag or None


def _count(fields: Mapping[str, str], name: str, default: int) -> int:
    return read_count(fields, name) if fields.get(name) else default


def _price(fields: Mapping[str, str], name: str, default: Decimal) -> Decimal:
    price = read_amount(fields, name) if fields.get(name) else default
    if price < 0:
        raise InputError(f"Invalid `{name}`. It should not be negative.")
    return price


def _protection(fields: Mapping[str, str]) -> Decimal:
    if not fields.get("market_protection"):
        return NOTHING
    percent = read_amount(fields, "market_protection")
    if percent != AUTOMATIC and not 0 <= percent <= 100:
        raise InputError("Invalid `market_protection`. It should be -1 or between 0 and 100.")
    return percent


def _check_trigger(terms: Terms, transaction_type: str) -> None:
    if transaction_type == "BUY" and terms.trigger_price > terms.price:
        raise InputError("Trigger price can't be higher than price.")
    if transaction_type == "SELL" and terms.trigger_price < terms.price:
        raise InputError("Trigger price can't be lesser than price.")


def _check_disclosed(terms: Terms, instrument: Instrument) -> None:
    if terms.disclosed_quantity and PRODUCTS[instrument.exchange] != _CASH:
        raise InputError("Invalid `disclosed_quantity`. It is allowed for equities only.")
    if terms.disclosed_quantity > terms.quantity:
        raise InputError("Disclosed quantity cannot be higher than quantity.")


def _check_protection(terms: Terms, limits: TradingLimits) -> None:
    is_market = terms.order_type in ("MARKET", "SL-M")
    if is_market and limits.requires_market_protection and not terms.market_protection:
        raise InputError(
            "AccountMarket orders without market protection are not allowed via API. "
            "Please set market protection or use a Limit order."
        )
