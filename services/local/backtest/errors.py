"""What can be wrong with a backtest; each is one line for the person who asked for it."""

from libs.errors import AlphaStocksError


class BacktestError(AlphaStocksError, ValueError):
    """Candles, strategy or parameters that cannot be used; nothing is written."""
