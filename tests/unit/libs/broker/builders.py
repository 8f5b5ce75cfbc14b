"""Orders and quotes for the paper broker's tests."""

from decimal import Decimal
from typing import Any

from libs.broker.port import OrderRequest
from libs.market.quotes import QuoteBook

TOKEN = 11_000_322
PLACED_MS = 1_000_000


def request(tag: str = "A" * 20, **changes: Any) -> OrderRequest:
    """A purchase of 150 units at up to 101 rupees."""
    fields: dict[str, Any] = {
        "tag": tag,
        "exchange": "NFO",
        "tradingsymbol": "NIFTY2661625000CE",
        "instrument_token": TOKEN,
        "transaction_type": "BUY",
        "quantity": 150,
        "order_type": "LIMIT",
        "price": Decimal("101.00"),
        "product": "NRML",
        "placed_ms": PLACED_MS,
    }
    return OrderRequest(**(fields | changes))


def sale(tag: str = "B" * 20, **changes: Any) -> OrderRequest:
    """A sale of 150 units at market."""
    fields = {"transaction_type": "SELL", "order_type": "MARKET", "price": Decimal(0)}
    return request(tag, **(fields | changes))


def quotes(
    after_ms: int,
    bid: float = 99.5,
    ask: float = 100.5,
    last_price: float = 100.0,
    bid_quantity: int = 1000,
    ask_quantity: int = 1000,
    token: int = TOKEN,
) -> QuoteBook:
    """The contract's quote so long after the placing."""
    book = QuoteBook([token])
    row = quoted(after_ms, bid, ask, last_price, bid_quantity, ask_quantity, token)
    book.update(**{name: [value] for name, value in row.items()})
    return book


def quoted(
    after_ms: int,
    bid: float = 99.5,
    ask: float = 100.5,
    last_price: float = 100.0,
    bid_quantity: int = 1000,
    ask_quantity: int = 1000,
    token: int = TOKEN,
) -> dict[str, Any]:
    """The columns of that quote."""
    return {
        "instrument_token": token,
        "at_ms": PLACED_MS + after_ms,
        "last_price": last_price,
        "bid_price": bid,
        "bid_quantity": bid_quantity,
        "ask_price": ask,
        "ask_quantity": ask_quantity,
    }
