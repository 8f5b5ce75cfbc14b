"""Which instruments are followed, by asset class: the settings of ingest.universe."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from libs.broker.port.market import Mode
from libs.market.bounds import STRICT, refuse
from libs.market.instruments import underlying_name
from libs.market.names import OneOf, commodity_name, contract_key, future_name, listed_key
from libs.market.units import Count

UNDERLYINGS = (
    "NSE:NIFTY 50",
    "NSE:NIFTY BANK",
    "NSE:RELIANCE",
    "NSE:HDFCBANK",
    "NSE:ICICIBANK",
    "NSE:INFY",
    "NSE:TCS",
    "NSE:SBIN",
    "NSE:ITC",
    "NSE:LT",
    "NSE:AXISBANK",
    "NSE:BHARTIARTL",
)
"""Two indices and ten stocks with liquid options."""
OPTIONS_OF: Mapping[str, str] = {"NSE": "NFO", "BSE": "BFO"}
"""Exchange of an underlying → where its options and futures are listed."""
COMMODITIES = "MCX"
_CASH = tuple(OPTIONS_OF)

Keys: TypeAlias = tuple[Annotated[str, AfterValidator(listed_key)], ...]
Followed: TypeAlias = Annotated[Mode, OneOf()]
Months: TypeAlias = Annotated[int, Count(1, 12, of="expiries")]
RollDays: TypeAlias = Annotated[int, Count(0, 20, of="trading days")]
Expiries: TypeAlias = Annotated[int, Count(1, 24, of="expiries")]
NoneOrExpiries: TypeAlias = Annotated[int, Count(0, 24, of="expiries")]
Strikes: TypeAlias = Annotated[int, Count(0, 100, of="strikes")]


@dataclass(frozen=True, slots=True, config=STRICT)
class EquityRules:
    """Shares without their options.

    `names` as exchange:tradingsymbol. `rule`: with_options, every share of NSE that has options;
    all, every one that is listed there.
    """

    names: Keys = ()
    rule: Annotated[Literal["none", "with_options", "all"], OneOf()] = "none"
    mode: Followed = "full"

    def __post_init__(self) -> None:
        _refuse_twice("names", self.names)


@dataclass(frozen=True, slots=True, config=STRICT)
class IndexRules:
    """Indices without their options.

    `names` as exchange:tradingsymbol. `rule`: all, every index of NSE.
    """

    names: Keys = ()
    rule: Annotated[Literal["none", "all"], OneOf()] = "none"
    mode: Followed = "full"

    def __post_init__(self) -> None:
        _refuse_twice("names", self.names)


@dataclass(frozen=True, slots=True, config=STRICT)
class FutureRules:
    """Futures of indices and shares.

    `names` of underlyings, such as NIFTY, RELIANCE, SENSEX. `rule`: underlyings, the futures of
    universe.underlyings; all, of every one at NFO. The nearest `months` expiries are followed; an
    expiry ends being the near one `roll_days` trading days before it.
    """

    names: tuple[Annotated[str, AfterValidator(future_name)], ...] = ()
    rule: Annotated[Literal["none", "underlyings", "all"], OneOf()] = "none"
    months: Months = 1
    roll_days: RollDays = 0
    mode: Followed = "full"

    def __post_init__(self) -> None:
        _refuse_twice("names", self.names)


@dataclass(frozen=True, slots=True, config=STRICT)
class OptionRules:
    """Options of universe.underlyings, and contracts by name.

    By rule: those near the money, by universe.expiries and universe.near_strikes. `names` of single
    contracts, such as NFO:NIFTY26JUN25000CE, are followed besides. `mode` is that of both; what a
    position holds is always followed in full.
    """

    names: tuple[Annotated[str, AfterValidator(contract_key)], ...] = ()
    mode: Followed = "full"

    def __post_init__(self) -> None:
        _refuse_twice("names", self.names)


@dataclass(frozen=True, slots=True, config=STRICT)
class CommodityRules:
    """Futures of MCX, and their options.

    `names` such as CRUDEOIL. `rule`: all, every commodity that is listed. `months` and `roll_days`
    as of futures. Of each the options of the nearest `expiries` are followed (0: none),
    `near_strikes` strikes each side of their future's price.
    """

    names: tuple[Annotated[str, AfterValidator(commodity_name)], ...] = ()
    rule: Annotated[Literal["none", "all"], OneOf()] = "none"
    months: Months = 1
    roll_days: RollDays = 0
    expiries: NoneOrExpiries = 0
    near_strikes: Strikes = 5
    mode: Followed = "full"

    def __post_init__(self) -> None:
        _refuse_twice("names", self.names)

    @property
    def is_empty(self) -> bool:
        """Whether no commodity is wanted."""
        return not self.names and self.rule == "none"


@dataclass(frozen=True, slots=True, config=STRICT)
class UniverseRules:
    """Which instruments are followed.

    `underlyings` as exchange:tradingsymbol, of NSE or BSE; of each the nearest `expiries` of its
    options are listed, and `near_strikes` strikes each side of the money are quoted. `most`:
    instruments of all connections together. What is followed besides is named by asset class.
    """

    underlyings: Keys = UNDERLYINGS
    expiries: Expiries = 2
    near_strikes: Strikes = 5
    most: Annotated[int, Count(1, 9000, of="instruments")] = 3000
    equity: EquityRules = Field(default_factory=EquityRules)
    index: IndexRules = Field(default_factory=IndexRules)
    futures: FutureRules = Field(default_factory=FutureRules)
    options: OptionRules = Field(default_factory=OptionRules)
    commodity: CommodityRules = Field(default_factory=CommodityRules)

    def __post_init__(self) -> None:
        if not self.exchanges:
            refuse("underlyings", "none is named, so nothing would be followed")
        _refuse_twice("underlyings", self.underlyings)
        if len(self.underlyings) > self.most:
            refuse("underlyings", f"{len(self.underlyings)} are more than most, {self.most}")
        self._refuse_two_exchanges()

    @property
    def exchanges(self) -> tuple[str, ...]:
        """Exchanges whose instruments are followed: those of shares, then those of contracts."""
        wanted = {exchange for exchange in self._wanted_exchanges() if exchange}
        return (*sorted(wanted & {*_CASH}), *sorted(wanted - {*_CASH}))

    @property
    def quoted(self) -> tuple[str, ...]:
        """What can be quoted before the day's dump is known: all that is named by its key."""
        named = (*self.underlyings, *self.equity.names, *self.index.names, *self.options.names)
        return tuple(dict.fromkeys(named))

    @property
    def is_open_ended(self) -> bool:
        """Whether a rule chooses, so that the dump tells what is followed."""
        rules = (self.equity.rule, self.index.rule, self.futures.rule, self.commodity.rule)
        return set(rules) != {"none"} or bool(self.futures.names) or bool(self.commodity.names)

    @property
    def future_keys(self) -> tuple[tuple[str, str], ...]:
        """Exchange and name of the futures that are named, or of the underlyings."""
        named = [key.partition(":")[::2] for key in self.futures.names]
        if self.futures.rule == "underlyings":
            named += [(OPTIONS_OF[_of(key)], underlying_name(key)) for key in self.underlyings]
        return tuple(dict.fromkeys(named))

    def _wanted_exchanges(self) -> Iterable[str]:
        yield from (_of(key) for key in self.quoted)
        yield from (OPTIONS_OF[_of(key)] for key in self.underlyings)
        yield from (exchange for exchange, _ in self.future_keys)
        yield "NSE" if self.equity.rule != "none" or self.index.rule != "none" else ""
        yield "NFO" if self.equity.rule == "with_options" or self.futures.rule == "all" else ""
        yield "" if self.commodity.is_empty else COMMODITIES

    def _refuse_two_exchanges(self) -> None:
        """Refuse options of one name from two exchanges: a signal would not say which it means."""
        by_name: dict[str, str] = {}
        for key in self.underlyings:
            other = by_name.setdefault(underlying_name(key), key)
            if _of(other) != _of(key):
                refuse("underlyings", f"{other!r} and {key!r} are one underlying: name one of them")


def _of(key: str) -> str:
    return key.partition(":")[0]


def _refuse_twice(setting: str, names: Iterable[str]) -> None:
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        refuse(setting, f"{twice[0]!r} is named twice")
