"""Recorded ticks as instruments: what the files do not say comes from the command or a dump."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np

from libs.market.instruments import Instrument, future_tradingsymbol
from libs.market.naming import is_index
from services.ingest.recordings.errors import RecordingError
from services.ingest.recordings.named import EXCHANGE, NOTHING, Named
from services.ingest.recordings.ticks import RecordedTicks

_SEGMENT_BYTES = {"NSE": 1, "NFO": 2, "BSE": 4, "BFO": 5, "MCX": 7, "INDICES": 9}
_EXCHANGE_OF = {byte: name for name, byte in _SEGMENT_BYTES.items() if name != "INDICES"}
_OF_CONTRACTS = ("NFO", "BFO", "MCX")
_INDICES = _SEGMENT_BYTES["INDICES"]


def named_ticks(ticks: Iterable[RecordedTicks], named: Named) -> list[RecordedTicks]:
    """Return ticks under their instruments' symbol, exchange and expiry.

    Raises RecordingError for one that is not known well enough.
    """
    made = [_named(one, named) for one in ticks]
    seen: set[str] = set()
    for one in made:
        if one.symbol in seen:
            raise RecordingError(f"{one.symbol}: recorded on two exchanges; choose by --exchange")
        seen.add(one.symbol)
    return made


def _named(one: RecordedTicks, named: Named) -> RecordedTicks:
    said = replace(
        one,
        exchange=one.exchange or _exchange_of(one) or named.exchange or EXCHANGE,
        expiry=one.expiry or named.expiry,
    )
    found = _listed(said, named.dump)
    if found is not None:
        said = replace(said, symbol=found.tradingsymbol, expiry=found.expiry)
        return replace(said, exchange=found.exchange, instrument_token=found.instrument_token)
    if said.symbol.startswith("token "):
        raise RecordingError(
            f"{said.symbol}: the file does not say of which instrument; Kite's dump does, by "
            "--instruments"
        )
    if said.exchange not in _OF_CONTRACTS:
        return _as_index(said) if is_index_of(said) else replace(said, expiry=None)
    if said.expiry is None:
        raise RecordingError(
            f"{said.symbol}: the file does not say when it expires; say it by --expiry, or give "
            "Kite's dump by --instruments"
        )
    return replace(said, symbol=future_tradingsymbol(said.symbol, said.expiry))


def _exchange_of(one: RecordedTicks) -> str | None:
    """Return the exchange that Kite's token tells; an index may be of any."""
    token = one.instrument_token
    return None if token is None else _EXCHANGE_OF.get(token & 0xFF)


def _listed(one: RecordedTicks, dump: Sequence[Instrument]) -> Instrument | None:
    """Return the instrument of a dump: by token, by symbol, or a future by name and expiry."""
    if one.instrument_token is not None:
        return next((i for i in dump if i.instrument_token == one.instrument_token), None)
    mine = [i for i in dump if i.exchange == one.exchange]
    for listed in mine:
        if listed.tradingsymbol == one.symbol:
            return listed
    key = (one.symbol, one.expiry, "FUT")
    return next((i for i in mine if (i.name, i.expiry, i.instrument_type) == key), None)


def is_index_of(one: RecordedTicks) -> bool:
    """Whether ticks are of an index: by token or name, or because they never show a volume."""
    if one.instrument_token is not None:
        return one.instrument_token & 0xFF == _INDICES
    return is_index(one.symbol) or not one.volume.any()


def _as_index(one: RecordedTicks) -> RecordedTicks:
    """Return ticks with volume 0, which is what an index shows."""
    return replace(one, volume=np.maximum(one.volume, 0), expiry=None)


def instruments_of(ticks: Iterable[RecordedTicks], named: Named = NOTHING) -> list[Instrument]:
    """Return an instrument per named ticks, sorted by symbol; those of the dump as they are there.

    Other tokens are derived from the symbols, unless the files have them.
    """
    listed = {one.instrument_token: one for one in named.dump}
    taken: set[int] = set()
    made = []
    for one in sorted(ticks, key=lambda ticks: ticks.symbol):
        if one.instrument_token in listed:
            made.append(listed[one.instrument_token])
            continue
        exchange_token = 1 + zlib.crc32(one.symbol.encode()) % 2**20
        if one.instrument_token is not None:
            exchange_token = one.instrument_token >> 8
        while exchange_token in taken:
            exchange_token += 1
        taken.add(exchange_token)
        made.append(_instrument(one, exchange_token))
    return made


def _instrument(one: RecordedTicks, exchange_token: int) -> Instrument:
    exchange, is_contract = one.exchange or EXCHANGE, one.exchange in _OF_CONTRACTS
    is_an_index = not is_contract and is_index_of(one)
    byte = _SEGMENT_BYTES["INDICES" if is_an_index else exchange]
    return Instrument(
        instrument_token=exchange_token * 256 + byte,
        exchange_token=exchange_token,
        tradingsymbol=one.symbol,
        name=_name_of(one.symbol, one.expiry) if is_contract else one.symbol,
        last_price=0.0,
        expiry=one.expiry if is_contract else None,
        strike=0.0,
        tick_size=Decimal(0) if is_an_index else Decimal("0.05"),
        lot_size=0 if is_an_index else 1,
        instrument_type="FUT" if is_contract else "EQ",
        segment="INDICES" if is_an_index else f"{exchange}{'-FUT' if is_contract else ''}",
        exchange=exchange,
    )


def _name_of(symbol: str, expiry: date | None) -> str:
    return symbol if expiry is None else symbol.removesuffix(future_tradingsymbol("", expiry))
