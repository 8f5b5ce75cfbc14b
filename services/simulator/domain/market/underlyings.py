"""The underlyings of the synthetic market and what they are like."""

from dataclasses import dataclass, replace
from decimal import Decimal

from libs.market.instruments import Instrument

_INDICES = "INDICES"
_SEGMENT_BYTES = {"NSE": 1, "BSE": 4, _INDICES: 9}


@dataclass(frozen=True, slots=True)
class UnderlyingSpec:
    """One index or stock of the synthetic market.

    `start_price` is the level in rupees (index points) around which closes wander, `drift` the
    yearly growth of that level from 2026 on, `annual_volatility` per square root of a year,
    `market_correlation` with the factor that moves all, `daily_volume` in units (0: an index),
    `activity` the usual share of seconds with a tick.
    """

    tradingsymbol: str
    name: str
    exchange: str
    segment: str
    exchange_token: int
    start_price: float
    annual_volatility: float
    market_correlation: float
    drift: float = 0.06
    daily_volume: int = 0
    activity: float = 1.0
    tick_size: Decimal = Decimal("0.05")
    lot_size: int = 1

    @property
    def is_index(self) -> bool:
        """Whether this is an index: it ticks every second and has no volume."""
        return self.segment == _INDICES

    @property
    def instrument_token(self) -> int:
        """Kite's token: the exchange's token and the segment in the low byte."""
        return self.exchange_token * 256 + _SEGMENT_BYTES[self.segment]

    def instrument(self) -> Instrument:
        """Row of the instrument dump, with the zeros that Kite gives for indices."""
        return Instrument(
            instrument_token=self.instrument_token,
            exchange_token=self.exchange_token,
            tradingsymbol=self.tradingsymbol,
            name=self.name,
            last_price=0.0,
            expiry=None,
            strike=0.0,
            tick_size=Decimal(0) if self.is_index else self.tick_size,
            lot_size=0 if self.is_index else self.lot_size,
            instrument_type="EQ",
            segment=self.segment,
            exchange=self.exchange,
        )


def _index(
    symbol: str, name: str, token: int, price: float, volatility: float, correlation: float
) -> UnderlyingSpec:
    return UnderlyingSpec(symbol, name, "NSE", _INDICES, token, price, volatility, correlation)


def _stock(
    symbol: str, token: int, price: float, volatility: float, volume: int, activity: float
) -> UnderlyingSpec:
    return UnderlyingSpec(
        tradingsymbol=symbol,
        name=symbol,
        exchange="NSE",
        segment="NSE",
        exchange_token=token,
        start_price=price,
        annual_volatility=volatility,
        market_correlation=0.6,
        daily_volume=volume,
        activity=activity,
    )


DEFAULT_UNIVERSE: tuple[UnderlyingSpec, ...] = (
    _index("NIFTY 50", "NIFTY", 1001, 25_100.0, 0.115, 0.96),
    _index("NIFTY BANK", "BANKNIFTY", 1016, 56_200.0, 0.13, 0.88),
    _stock("RELIANCE", 2885, 1_380.0, 0.23, 11_000_000, 0.85),
    _stock("HDFCBANK", 1333, 980.0, 0.20, 18_000_000, 0.88),
    _stock("ICICIBANK", 4963, 1_380.0, 0.21, 11_000_000, 0.85),
    _stock("INFY", 1594, 1_500.0, 0.25, 8_000_000, 0.80),
    _stock("TCS", 11536, 2_960.0, 0.22, 3_000_000, 0.72),
    _stock("SBIN", 3045, 880.0, 0.24, 12_000_000, 0.84),
    _stock("ITC", 1660, 400.0, 0.20, 14_000_000, 0.76),
    _stock("LT", 11483, 3_750.0, 0.24, 2_000_000, 0.66),
    _stock("AXISBANK", 5900, 1_180.0, 0.25, 8_000_000, 0.80),
    _stock("BHARTIARTL", 10604, 1_940.0, 0.23, 6_000_000, 0.74),
)
"""Two indices and ten large stocks with NSE's own tokens and prices as of late 2025."""
SENSEX = replace(_index("SENSEX", "SENSEX", 1, 82_200.0, 0.115, 0.97), exchange="BSE")
"""BSE's index, whose options are listed at BFO: not among the default ones."""
