"""Small files in the form of NSE's option chain, priced by a formula of their own."""

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from statistics import NormalDist
from typing import Any

from libs.market.calendar import IST

DAY, EXPIRY, NEXT_EXPIRY = date(2025, 8, 29), date(2025, 9, 2), date(2025, 9, 9)
OPENS, CLOSES = time(9, 15), time(15, 30)
RATE, VOLATILITY, TICK = 0.06, 0.12, 0.05
SIDE = ("OI", "Chng_in_OI", "Volume", "IV", "LTP", "Net_Chng")
BOOK = ("Bid_Qty", "Bid_Price", "Ask_Price", "Ask_Qty")
HEADER = (
    *("Fetch_Time", "Symbol", "Expiry_Date"),
    *(f"CALLS_{name}" for name in (*SIDE, *BOOK)),
    "Strike_Price",
    *(f"PUTS_{name}" for name in (*SIDE, *BOOK)),
    *("collection_timestamp", "index_name"),
)
Row = dict[str, Any]


def at(clock: str, day: date = DAY) -> datetime:
    """Return a time of a day in India."""
    return datetime.combine(day, time.fromisoformat(clock), IST)


def black(forward: float, strike: float, years: float, is_call: bool) -> float:
    """Return Black's value of an option, by the standard library alone."""
    deviation = VOLATILITY * math.sqrt(years)
    d1 = math.log(forward / strike) / deviation + deviation / 2
    sign, cdf = (1 if is_call else -1), NormalDist().cdf
    value = forward * cdf(sign * d1) - strike * cdf(sign * (d1 - deviation))
    return math.exp(-RATE * years) * sign * value


def years_from(moment: datetime, expiry: date) -> float:
    """Return years of 365 days to the close of an expiry day."""
    closes = datetime.combine(expiry, CLOSES, IST)
    return (closes - moment).total_seconds() / (365 * 86_400)


def row_of(
    moment: datetime,
    spot: float,
    strike: float,
    expiry: date = EXPIRY,
    age_seconds: int = 70,
    minute: int = 0,
    **changes: Any,
) -> Row:
    """Return a row, its quotes a tick on either side of the formula's value."""
    years = years_from(moment, expiry)
    forward = spot * math.exp(RATE * years)
    collected = moment + timedelta(seconds=age_seconds)
    row: Row = {
        "Fetch_Time": f"{moment:%d-%b-%Y %H:%M:%S}",
        "Symbol": "NIFTY",
        "Expiry_Date": f"{expiry:%d-%b-%Y}",
        "Strike_Price": f"{strike:g}",
        "collection_timestamp": f"{collected:%Y%m%d_%H%M%S}",
        "index_name": "NIFTY",
    }
    for prefix, is_call in (("CALLS", True), ("PUTS", False)):
        ticks = max(round(black(forward, strike, years, is_call) / TICK), 2)
        volume = 1000 + 10 * minute + int(strike) % 70
        values = (5000, 10, volume, 12.0, f"{ticks * TICK:.2f}", 0.5)
        book = (1500, f"{(ticks - 1) * TICK:.2f}", f"{(ticks + 1) * TICK:.2f}", 1500)
        row |= {f"{prefix}_{name}": one for name, one in zip(SIDE, values, strict=True)}
        row |= {f"{prefix}_{name}": one for name, one in zip(BOOK, book, strict=True)}
    return row | changes


def strikes_around(spot: float, each_side: int = 6) -> list[float]:
    """Return strikes of NIFTY around a price."""
    nearest = round(spot / 50) * 50
    return [float(nearest + 50 * step) for step in range(-each_side, each_side + 1)]


def snapshots(
    spots: Sequence[tuple[datetime, float]],
    strikes: Sequence[float] = (),
    expiries: Iterable[date] = (EXPIRY, NEXT_EXPIRY),
    **changes: Any,
) -> Iterator[Row]:
    """Yield the rows of snapshots at these times and spots."""
    listed = strikes or strikes_around(spots[0][1])
    for minute, (moment, spot) in enumerate(spots):
        for expiry in expiries:
            for strike in listed:
                yield row_of(moment, spot, strike, expiry, minute=minute, **changes)


def minutes(first: str, spots: Sequence[float], apart: int = 60) -> list[tuple[datetime, float]]:
    """Return one spot after another, `apart` seconds from each other."""
    begins = at(first)
    return [(begins + timedelta(seconds=apart * n), spot) for n, spot in enumerate(spots)]


def write_chain(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write a file of these rows."""
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, HEADER, restval="")
        table.writeheader()
        table.writerows(rows)
    return path
