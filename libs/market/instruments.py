"""Instruments as Kite lists them, their names, and their partitions."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TypeVar

from libs.market.arrays import IntArray
from libs.market.packaged import load_table

Token = TypeVar("Token", int, IntArray)

_SEGMENT_BITS = 8
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKLY_MONTHS = "123456789OND"


@dataclass(frozen=True, slots=True)
class Instrument:
    """One row of Kite's instrument dump; `instrument_token` holds only within a trading day.

    `last_price` and `strike` are rupees (index points for indices), `lot_size` is in units,
    `expiry` is None and `strike` 0 unless it is a future or an option.
    """

    instrument_token: int
    exchange_token: int
    tradingsymbol: str
    name: str
    last_price: float
    expiry: date | None
    strike: float
    tick_size: Decimal
    lot_size: int
    instrument_type: str
    segment: str
    exchange: str

    @property
    def key(self) -> str:
        """Exchange and symbol as Kite's quote calls want them, e.g. `NSE:RELIANCE`."""
        return f"{self.exchange}:{self.tradingsymbol}"

    @property
    def is_option(self) -> bool:
        """Whether this is a call or a put."""
        return self.instrument_type in ("CE", "PE")

    @property
    def is_index(self) -> bool:
        """Whether this is an index, which cannot be traded and has no volume."""
        return self.segment == "INDICES"


def underlying_name(symbol: str) -> str:
    """Name under which the option contracts of a symbol are listed: `NIFTY BANK` → `BANKNIFTY`.

    The exchange prefix is removed, letters become upper case, and packaged aliases are applied.
    """
    bare = symbol.rpartition(":")[2].strip().upper()
    aliases: dict[str, str] = load_table("aliases.toml")["aliases"]
    return aliases.get(bare, bare)


def option_tradingsymbol(
    name: str, expiry: date, strike: float, instrument_type: str, is_monthly: bool
) -> str:
    """Kite's symbol: weekly `NIFTY25O1425100CE`, monthly `NIFTY25OCT25100CE`."""
    year = f"{expiry:%y}"
    month, weekly_month = _MONTHS[expiry.month - 1], _WEEKLY_MONTHS[expiry.month - 1]
    when = f"{year}{month}" if is_monthly else f"{year}{weekly_month}{expiry:%d}"
    return f"{name}{when}{_plain(strike)}{instrument_type}"


def future_tradingsymbol(name: str, expiry: date) -> str:
    """Kite's symbol of a future: `RELIANCE25NOVFUT`; a name that is one already stays."""
    ending = f"{expiry:%y}{_MONTHS[expiry.month - 1]}FUT"
    return name if name.endswith(ending) else f"{name}{ending}"


def _plain(strike: float) -> str:
    return f"{strike:.2f}".rstrip("0").rstrip(".")


def partition_of(instrument_token: Token, partitions: int) -> Token:
    """Partition of a token, `(token >> 8) % partitions`, for an int or an integer array.

    The low byte is the segment, which would put a whole segment into one partition.
    """
    return (instrument_token >> _SEGMENT_BITS) % partitions


def by_contract(instruments: Iterable[Instrument]) -> list[Instrument]:
    """Sort by expiry, strike and type (CE before PE), the order in which chains are read."""
    return sorted(instruments, key=lambda i: (i.expiry or date.max, i.strike, i.instrument_type))


class Catalog:
    """Instruments of a day, immutable; found in O(1) by token, by key and by option underlying.

    A later instrument replaces an earlier one with the same token, or the same exchange and
    symbol, because tokens of expired contracts are reused.
    """

    def __init__(self, instruments: Iterable[Instrument] = ()) -> None:
        self._by_token: dict[int, Instrument] = {}
        self._by_key: dict[str, Instrument] = {}
        for instrument in instruments:
            self._put(instrument)
        self._chains = _chains(self._by_token.values())

    def _put(self, instrument: Instrument) -> None:
        replaced = self._by_token.pop(instrument.instrument_token, None)
        if replaced is not None:
            del self._by_key[replaced.key]
        renumbered = self._by_key.pop(instrument.key, None)
        if renumbered is not None:
            del self._by_token[renumbered.instrument_token]
        self._by_token[instrument.instrument_token] = instrument
        self._by_key[instrument.key] = instrument

    def __len__(self) -> int:
        return len(self._by_token)

    def __iter__(self) -> Iterator[Instrument]:
        return iter(self._by_token.values())

    def with_instruments(self, instruments: Iterable[Instrument]) -> "Catalog":
        """Return a catalog with these too; costs O(n), so add many at once."""
        return Catalog([*self, *instruments])

    def by_token(self, instrument_token: int) -> Instrument | None:
        """Instrument of a token, or None."""
        return self._by_token.get(instrument_token)

    def find(self, exchange: str, tradingsymbol: str) -> Instrument | None:
        """Instrument of an exchange and symbol, or None."""
        return self._by_key.get(f"{exchange}:{tradingsymbol}")

    def options(self, underlying: str, expiry: date | None = None) -> tuple[Instrument, ...]:
        """Option contracts of an underlying's name, of one expiry or all, in chain order."""
        chains = self._chains.get(underlying, {})
        if expiry is not None:
            return chains.get(expiry, ())
        return tuple(contract for chain in chains.values() for contract in chain)

    def expiries(self, underlying: str) -> tuple[date, ...]:
        """Expiry dates of an underlying's options, nearest first."""
        return tuple(self._chains.get(underlying, {}))


def _chains(instruments: Iterable[Instrument]) -> dict[str, dict[date, tuple[Instrument, ...]]]:
    grouped: dict[str, dict[date, list[Instrument]]] = {}
    for option in by_contract(i for i in instruments if i.is_option):
        if option.expiry is not None:
            grouped.setdefault(option.name, {}).setdefault(option.expiry, []).append(option)
    return {
        name: {expiry: tuple(contracts) for expiry, contracts in chains.items()}
        for name, chains in grouped.items()
    }
