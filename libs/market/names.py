"""Names in settings: the known ones, and the one that was probably meant."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema, core_schema

from libs.market.bounds import refusal
from libs.market.instruments import underlying_name
from libs.market.packaged import kept, load_table

SEGMENTS = (
    *("INDICES", "NSE", "BSE", "NFO-FUT", "NFO-OPT", "BFO-FUT", "BFO-OPT"),
    *("MCX-FUT", "MCX-OPT"),
)
"""Kite's segments whose hours the calendar knows."""
EXCHANGES = ("NSE", "BSE", "MCX")
"""Exchanges on which an underlying is listed."""
CASH = ("NSE", "BSE")
"""Exchanges of indices and shares."""
CONTRACTS = ("NFO", "BFO", "MCX")
"""Exchanges of futures and options."""
_CONTRACTS_OF = {"NSE": "NFO", "BSE": "BFO", "NFO": "NFO", "BFO": "BFO"}
_SHORT = 12
_SLIP = 0.8
"""How much a name is like a known one if a letter or two differ."""


def unknown(name: str, known: Iterable[str], what: str = "") -> str:
    """Return a line that a name is unknown, with the nearest known one or else a short list."""
    names = list(known)
    said = f"no {what} is called {name!r}" if what else f"{name!r} is not known"
    near = nearest(name, names)
    if near:
        said += f"; did you mean {near!r}?"
    if len(names) > _SHORT:
        return said
    return f"{said}{' Known' if near else '; known'}: {', '.join(names)}"


def nearest(name: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """Return the known name that is most like this one, None if none is that much like it."""
    folded = {one.casefold(): one for one in known}
    near = get_close_matches(name.casefold(), folded, n=1, cutoff=likeness)
    return folded[near[0]] if near else None


@dataclass(frozen=True)
class OneOf:
    """A name out of those of the field's Literal, or of `known`."""

    known: Callable[[], Iterable[str]] | None = None

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Check the name, and say which one was probably meant."""

        def checked(value: Any, read: Callable[[Any], Any]) -> Any:
            names = self.known() if self.known else get_args(source)
            try:
                name = read(value)
            except ValidationError:
                if not isinstance(value, str):
                    raise
                raise refusal(unknown(value, names)) from None
            if name not in names:
                raise refusal(unknown(name, names))
            return name

        return core_schema.no_info_wrap_validator_function(checked, handler(source))


@kept
def underlyings() -> frozenset[str]:
    """Return the names under which options are or were listed: NIFTY, RELIANCE, SENSEX."""
    listed = load_table("underlyings.toml")["names"].values()
    return frozenset(load_table("lots.toml")["lots"]).union(*listed)


def known_underlying(name: str) -> str:
    """Return a name of an underlying, in any spelling; raise for one that is nearly a known one.

    Others pass: names are listed every few months, and the broker's list of the day has them all.
    """
    spelled = underlying_name(name)
    meant = None if spelled in underlyings() else nearest(spelled, underlyings(), _SLIP)
    if meant is not None:
        raise refusal(f"no underlying with options is called {name!r}; did you mean {meant!r}?")
    return name


def listed_key(key: str) -> str:
    """Return a key such as `NSE:NIFTY 50`; raise unless it is of an exchange of shares."""
    exchange = _exchange_of(key, "NSE")
    if exchange == "MCX":
        raise refusal(f"{key!r}: a contract of MCX is no underlying; name it in universe.commodity")
    if exchange not in CASH:
        raise refusal(unknown(exchange, CASH, "exchange"))
    return key


def contract_key(key: str) -> str:
    """Return a key such as `NFO:NIFTY26JUN25000CE`; raise unless it is of one for contracts."""
    exchange = _exchange_of(key, "NFO")
    if exchange not in CONTRACTS:
        raise refusal(unknown(exchange, CONTRACTS, "exchange of contracts"))
    return key


def future_name(name: str) -> str:
    """Return exchange and name of an underlying's futures: `NIFTY 50` → `NFO:NIFTY`.

    Raises for one of MCX, and for one that is nearly a known name.
    """
    before, _, bare = name.rpartition(":")
    known_underlying(bare)
    spelled = underlying_name(bare)
    if not spelled:
        raise refusal(f"{name!r} is no name of an underlying; write 'NIFTY'")
    if before == "MCX":
        raise refusal(f"{name!r}: name commodities in universe.commodity")
    own = "BSE" if spelled in load_table("underlyings.toml")["names"]["BSE"] else "NSE"
    exchange = _CONTRACTS_OF.get(before or own, before)
    if exchange not in _CONTRACTS_OF.values():
        raise refusal(unknown(before, _CONTRACTS_OF, "exchange"))
    return f"{exchange}:{spelled}"


def commodity_name(name: str) -> str:
    """Return the name of a commodity's contracts: `MCX:crudeoil` → `CRUDEOIL`."""
    before, _, bare = name.rpartition(":")
    if before not in ("", "MCX") or not bare.strip():
        raise refusal(f"{name!r} is no commodity of MCX; write 'CRUDEOIL'")
    return bare.strip().upper()


def _exchange_of(key: str, usual: str) -> str:
    """Return the exchange of `exchange:tradingsymbol`; raise if the key is none."""
    exchange, separator, tradingsymbol = key.partition(":")
    if not separator or not tradingsymbol.strip():
        raise refusal(f"{key!r} is no exchange:tradingsymbol; write '{usual}:{key.strip(': ')}'")
    return exchange
