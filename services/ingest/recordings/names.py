"""Names that recordings give to the columns of ticks, Kite's own first."""

from collections.abc import Mapping

TIMES = ("exchange_timestamp", "timestamp", "datetime", "time", "date")
PRICES = ("last_price", "ltp", "price")
VOLUMES = ("volume_traded", "volume")
SYMBOLS = ("tradingsymbol", "symbol")
MORE: Mapping[str, tuple[str, ...]] = {
    "last_traded_quantity": ("last_traded_quantity", "last_quantity", "ltq"),
    "average_traded_price": ("average_traded_price", "average_price"),
    "total_buy_quantity": ("total_buy_quantity", "buy_quantity", "total_buy_qty"),
    "total_sell_quantity": ("total_sell_quantity", "sell_quantity", "total_sell_qty"),
    "oi": ("oi", "open_interest"),
    "bid_price": ("bid_price", "bid_price_1", "bid"),
    "bid_quantity": ("bid_quantity", "bid_qty", "bid_qty_1"),
    "ask_price": ("ask_price", "ask_price_1", "ask"),
    "ask_quantity": ("ask_quantity", "ask_qty", "ask_qty_1"),
    "open_price": ("open_price", "ohlc.open"),
}
LAST_TRADES = ("last_trade_time",)
TOKENS = ("instrument_token",)
ASKS_IN_SECOND_BIDS = ("bid_price_1", "bid_price_2", "bid_qty_2", "ask_price_1")
CHAINS = ("strike", "strike_price", "option_type")
NUMBERS = frozenset(
    (*PRICES, *VOLUMES, *ASKS_IN_SECOND_BIDS, *(name for one in MORE.values() for name in one))
)
"""Columns that are read as numbers where each cell is one."""
