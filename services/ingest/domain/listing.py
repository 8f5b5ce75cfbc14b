"""Instruments as events."""

from datetime import date

from libs.events.event import identity, utc_from_ms
from libs.events.instruments import InstrumentListed
from libs.market.instruments import Instrument


def listed(instrument: Instrument, trading_day: date, at_ms: int) -> InstrumentListed:
    """Return the event of an instrument that is listed on a trading day."""
    key = (instrument.exchange, instrument.tradingsymbol, instrument.expiry, trading_day)
    event_id = identity("InstrumentListed", *key)
    same = (name for name in InstrumentListed.model_fields if hasattr(instrument, name))
    return InstrumentListed(
        event_id=event_id,
        occurred_at=utc_from_ms(at_ms),
        trading_day=trading_day,
        correlation_id=event_id,
        **{name: getattr(instrument, name) for name in same},
    )
