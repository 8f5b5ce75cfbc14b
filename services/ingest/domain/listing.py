"""Instruments as events."""

from datetime import date

from libs.events.event import utc_from_ms
from libs.events.instruments import InstrumentListed
from libs.market.instruments import Instrument


def listed(instrument: Instrument, trading_day: date, at_ms: int) -> InstrumentListed:
    """Return the event of an instrument that is listed on a trading day."""
    key = (instrument.exchange, instrument.tradingsymbol, instrument.expiry, trading_day)
    envelope = InstrumentListed.without_cause(
        *key, occurred_at=utc_from_ms(at_ms), trading_day=trading_day
    )
    return InstrumentListed(
        **envelope,
        instrument_token=instrument.instrument_token,
        exchange_token=instrument.exchange_token,
        tradingsymbol=instrument.tradingsymbol,
        name=instrument.name,
        expiry=instrument.expiry,
        strike=instrument.strike,
        tick_size=instrument.tick_size,
        lot_size=instrument.lot_size,
        instrument_type=instrument.instrument_type,
        segment=instrument.segment,
        exchange=instrument.exchange,
    )
