"""The broker ports: one Protocol for each part of a broker, with Kite's names.

Adapters implement them and callers use nothing else: see docs/adding-a-broker.md.
"""

from libs.broker.port.account import (
    Account,
    ContractState,
    Funds,
    Margin,
    NetPosition,
    Trade,
    Unreadable,
)
from libs.broker.port.fills import fill_of_order, is_from_order, unbooked
from libs.broker.port.market import (
    HistoricalCandle,
    History,
    Instruments,
    LastQuote,
    MarketData,
    Mode,
    Quotes,
    TickFrame,
    TickStream,
)
from libs.broker.port.orders import (
    Fill,
    MaySend,
    OrderClient,
    OrderRequest,
    OrderStatus,
    OrderType,
    OrderUpdate,
    Product,
    Side,
    always,
    flatten_tag,
    is_flatten_tag,
    is_own_tag,
)
from libs.broker.port.session import Session, Sessions
from libs.broker.port.venue import QuoteSource, Venue

__all__ = [
    "Account",
    "ContractState",
    "Fill",
    "Funds",
    "HistoricalCandle",
    "History",
    "Instruments",
    "LastQuote",
    "Margin",
    "MarketData",
    "MaySend",
    "Mode",
    "NetPosition",
    "OrderClient",
    "OrderRequest",
    "OrderStatus",
    "OrderType",
    "OrderUpdate",
    "Product",
    "QuoteSource",
    "Quotes",
    "Session",
    "Sessions",
    "Side",
    "TickFrame",
    "TickStream",
    "Trade",
    "Unreadable",
    "Venue",
    "always",
    "fill_of_order",
    "flatten_tag",
    "is_flatten_tag",
    "is_from_order",
    "is_own_tag",
    "unbooked",
]
