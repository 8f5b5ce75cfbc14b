"""Times in India, for people and for charts."""

from datetime import date, datetime

from libs.events.event import utc_from_ms
from libs.market.calendar import IST, IST_OFFSET_MS
from services.local.backtest.candles.history import Integers


def india(at_ms: int) -> datetime:
    """Return a time in India."""
    return utc_from_ms(at_ms).astimezone(IST)


def moment(at_ms: int) -> str:
    """Return a time as 26 Apr 2024, 10:15."""
    return f"{india(at_ms):%d %b %Y, %H:%M}"


def day(when: date) -> str:
    """Return a day as 26 Apr 2024."""
    return f"{when:%d %b %Y}"


def for_chart(at_ms: Integers) -> list[int]:
    """Return times as Plotly draws them: shifted to India's."""
    shifted: list[int] = (at_ms + IST_OFFSET_MS).tolist()
    return shifted


def duration(seconds: float) -> str:
    """Return a time span in its two largest units: 2 h 15 min."""
    minutes = round(seconds / 60)
    days, hours, rest = minutes // 1440, minutes % 1440 // 60, minutes % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {rest} min" if hours else f"{rest} min"
