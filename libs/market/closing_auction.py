"""The closing auction of shares that have derivatives: which orders are taken when."""

from dataclasses import dataclass
from datetime import date, time

from libs.market.dated import DatedSeries
from libs.market.packaged import kept, load_table


@dataclass(frozen=True, slots=True)
class ClosingAuction:
    """Times in India of one day's auction; see `libs/market/data/closing_auction.toml`."""

    segments: tuple[str, ...]
    begins: time
    orders_from: time
    limits_only_from: time
    may_end_from: time
    excepted: tuple[str, ...]

    def concerns(self, segment: str, tradingsymbol: str) -> bool:
        """Whether a share with derivatives is in the auction of a segment."""
        is_excepted = segment == "BSE" and tradingsymbol in self.excepted
        return segment in self.segments and not is_excepted

    def refuses(self, order_type: str, at: time) -> str | None:
        """Return why an order is not taken at a time from `begins` on, or None."""
        if at < self.orders_from:
            return "no order is taken before the auction"
        if at >= self.may_end_from:
            return "the auction may have ended"
        if order_type == "SL":
            return "the auction takes no stop orders"
        if order_type == "MARKET" and at >= self.limits_only_from:
            return "the auction takes limit orders alone by now"
        return None


@kept
def closing_auction(on: date) -> ClosingAuction | None:
    """Return the auction of a day, None before there was one."""
    entries = load_table("closing_auction.toml")["auction"]
    series = DatedSeries.of(entries, _read)
    known = series.at(on)
    return known.value if known.is_exact else None


def _read(value: dict[str, object]) -> ClosingAuction:
    tuples = {name: tuple(of) for name, of in value.items() if isinstance(of, list)}
    return ClosingAuction(**(value | tuples))  # type: ignore[arg-type]  # TOML has the times
