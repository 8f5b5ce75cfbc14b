"""The form of each data file: which keys it may have, their types, and the order of its dates."""

from collections.abc import Iterable, Iterator
from datetime import date, time
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Annotated, Generic, Literal, Self, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, RootModel, model_validator

V = TypeVar("V")
Segment = Literal["NSE", "NFO", "BSE", "BFO", "MCX"]
Weekday = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]


class Form(BaseModel):
    """A table of a file: keys and types exactly as they are listed."""

    model_config = ConfigDict(extra="forbid", strict=True)


def _amount(text: str) -> str:
    try:
        Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a number") from None
    return text


def _day(text: str) -> str:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a day such as 2027-01-26") from None
    return text


def _hours(sessions: list[list[time]]) -> list[list[time]]:
    """Refuse sessions that are not pairs of an open and a later close, one after the other."""
    if any(len(one) != 2 for one in sessions):
        raise ValueError("a session is an open and a close: [09:15:00, 15:30:00]")
    edges = [at for one in sessions for at in one]
    if any(later <= earlier for earlier, later in pairwise(edges)):
        raise ValueError("sessions must follow one another, each open before its close")
    return sessions


Amount: TypeAlias = Annotated[str, AfterValidator(_amount)]
"""An amount or a fraction, written as text to be read exactly."""
Day: TypeAlias = Annotated[str, AfterValidator(_day)]
Hours: TypeAlias = Annotated[list[list[time]], AfterValidator(_hours)]
Whole: TypeAlias = Annotated[int, Field(gt=0)]
Positive: TypeAlias = Annotated[float, Field(gt=0)]


class Dated(Form):
    """What holds from a day, by default until the next entry begins."""

    since: date = Field(alias="from")
    until: date | None = None
    confirmed: bool = True
    source: str = ""

    @model_validator(mode="after")
    def _is_a_span(self) -> Self:
        if self.until is not None and self.until < self.since:
            raise ValueError(f"it ends on {self.until}, before it begins on {self.since}")
        return self


class Entry(Dated, Generic[V]):
    """A value that holds from a day."""

    value: V


D = TypeVar("D", bound=Dated)


def in_order(entries: list[D]) -> list[D]:
    """Refuse entries that do not follow one another."""
    for one, following in pairwise(entries):
        if following.since <= one.since:
            raise ValueError(f"{following.since} does not come after {one.since}")
        if one.until is not None and following.since <= one.until:
            raise ValueError(f"what begins on {following.since} overlaps: until = {one.until}")
    return entries


class Series(RootModel[list[Entry[V]]], Generic[V]):
    """Entries that follow one another."""

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        in_order(self.root)
        return self


class Covers(Form):
    """The days that a calendar has."""

    since: date | None = Field(None, alias="from")
    to: date


class UsualHours(Dated):
    """Hours of segments from a day on."""

    segments: list[Segment]
    sessions: Hours


class Holidays(Form):
    """Days on which segments are closed, and those that open in their evening."""

    segments: list[Segment]
    days: dict[Day, str]
    evening_segments: list[Segment] = []
    evening_sessions: Hours = []
    source: str = ""


class Special(Form):
    """Hours of one day; none: its segments are closed."""

    day: date
    name: str
    segments: list[Segment]
    sessions: Hours
    is_settlement: bool
    source: str = ""


class Announced(Form):
    """A session that is announced without its hours."""

    day: date
    name: str
    segments: list[Segment]
    source: str = ""


class CalendarForm(Form):
    """calendar.toml."""

    covers: Covers | None = None
    hours: list[UsualHours] = []
    holidays: list[Holidays] = []
    special: list[Special] = []
    announced: list[Announced] = []

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        for segment in ("NSE", "NFO", "BSE", "BFO", "MCX"):
            in_order([one for one in self.hours if segment in one.segments])
        _once(f"{day} is a holiday of {segment}" for day, segment in self._closed())
        _once(f"{one.day} is special at {name}" for one in self.special for name in one.segments)
        return self

    def _closed(self) -> Iterator[tuple[str, str]]:
        for one in self.holidays:
            yield from ((day, name) for day in one.days for name in one.segments)

    def days(self) -> Iterator[date]:
        """Yield each day that is named."""
        yield from (date.fromisoformat(day) for day, _ in self._closed())
        yield from (one.day for one in self.special)
        yield from (one.day for one in self.announced)


def _once(facts: Iterable[str]) -> None:
    seen: set[str] = set()
    for fact in facts:
        if fact in seen:
            raise ValueError(f"twice: {fact}")
        seen.add(fact)


class LotsForm(Form):
    """lots.toml."""

    lots: dict[str, Series[Whole]] = {}


class SquareOff(Dated):
    """When the broker closes positions of a product."""

    product: str
    segment: Segment
    value: time


class ExpiryRuleForm(Dated):
    """On which weekday contracts expire."""

    underlyings: list[str]
    kind: Literal["weekly", "monthly"]
    weekday: Weekday


class TickBand(Form):
    """The tick of an option whose underlying is below a price in rupees (none: any)."""

    below: Amount
    tick: Amount


class ContractsForm(Form):
    """contracts.toml."""

    stock_freeze_lots: Whole | None = None
    freezes: dict[str, Series[Whole]] = {}
    index_strike_steps: dict[str, Series[Positive]] = {}
    stock_strike_bands: (
        Series[list[Annotated[list[float], Field(min_length=2, max_length=2)]]] | None
    ) = None
    option_tick_sizes: Series[Amount] | None = None
    stock_option_tick_sizes: Series[list[TickBand]] | None = None
    square_offs: list[SquareOff] = []
    expiry_rules: list[ExpiryRuleForm] = []

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        for key in {(one.product, one.segment) for one in self.square_offs}:
            in_order([one for one in self.square_offs if (one.product, one.segment) == key])
        for name in {name for rule in self.expiry_rules for name in rule.underlyings}:
            for kind in ("weekly", "monthly"):
                rules = [one for one in self.expiry_rules if one.kind == kind]
                in_order([one for one in rules if name in one.underlyings])
        return self


class ChargesForm(Form):
    """charges.toml."""

    brokerage: Series[Amount] | None = None
    stt_on_sale: Series[Amount] | None = None
    stt_on_exercise: Series[Amount] | None = None
    investor_fund: Series[Amount] | None = None
    stt_step: Series[Amount] | None = None
    stamp_step: Series[Amount] | None = None
    exchange: Series[Amount] | None = None
    sebi: Series[Amount] | None = None
    stamp_on_purchase: Series[Amount] | None = None
    gst: Series[Amount] | None = None


Products: TypeAlias = dict[Literal["intraday", "delivery", "future"], Series[Amount]]


class UnderlyingChargesForm(Form):
    """underlying_charges.toml."""

    brokerage: Products = {}
    most_brokerage: Products = {}
    stt_on_sale: Products = {}
    stt_on_purchase: Products = {}
    exchange: dict[Literal["NSE", "BSE"], Products] = {}
    sebi: Products = {}
    stamp_on_purchase: Products = {}
    gst: Products = {}


class ReachForm(Form):
    """Rupees up to a boundary, above it percent."""

    boundary: Amount
    rupees: Amount
    percent: Amount


class MarginForm(Form):
    """Percent of strike times quantity."""

    span: Amount
    exposure: Amount
    hedged: Amount


class EquityChargesForm(Form):
    """Charges on equities."""

    brokerage: Amount
    brokerage_cap: Amount
    stt_delivery: Amount
    stt_intraday_sale: Amount
    exchange: Amount
    sebi: Amount
    stamp_delivery: Amount
    stamp_intraday: Amount
    gst: Amount


Protection: TypeAlias = list[Annotated[list[Amount], Field(min_length=2, max_length=2)]]
Pause: TypeAlias = Annotated[list[str | time], Field(min_length=3, max_length=3)]


class TradingLimitsForm(Form):
    """trading_limits.toml."""

    order_modifications: Series[Whole] | None = None
    tag_length: Series[Whole] | None = None
    slices: Series[Whole] | None = None
    equity_order_quantity: Series[Whole] | None = None
    amo_pauses: Series[list[Pause]] | None = None
    requires_market_protection: Series[bool] | None = None
    option_protection: Series[Protection] | None = None
    equity_protection: Series[Protection] | None = None
    index_price_protection: Series[ReachForm] | None = None
    stock_price_protection: Series[ReachForm] | None = None
    option_stop_gap: Series[ReachForm] | None = None
    equity_stop_gap: Series[ReachForm] | None = None
    option_stop_market: Series[bool] | None = None
    index_option_margin: Series[MarginForm] | None = None
    stock_option_margin: Series[MarginForm] | None = None
    equity_intraday_leverage: Series[Amount] | None = None
    equity_charges: Series[EquityChargesForm] | None = None


class AuctionForm(Form):
    """The times of the closing auction."""

    segments: list[Segment]
    begins: time
    orders_from: time
    limits_only_from: time
    may_end_from: time
    excepted: list[str]


class ClosingAuctionForm(Form):
    """closing_auction.toml."""

    auction: Series[AuctionForm] | None = None


class PhysicalSettlementForm(Form):
    """physical_settlement.toml."""

    indices: list[str] = []
    margin_days: Series[Whole] | None = None


class OptionBand(Form):
    """A share of the premium, and at least so many rupees."""

    share: Positive
    least_rupees: Positive


class PriceBandsForm(Form):
    """price_bands.toml."""

    stocks: Series[Positive] | None = None
    options: Series[OptionBand] | None = None


Rates: TypeAlias = list[Annotated[list[Whole], Field(min_length=2, max_length=2)]]


class KiteLimitsForm(Form):
    """kite_limits.toml."""

    session_ends_at: time | None = None
    rates: dict[str, Series[Rates]] = {}
    kept: dict[str, Series[Rates]] = {}
    instruments_a_call: dict[str, Series[Whole]] = {}
    history_days: dict[str, Series[Whole]] = {}
    numbers: dict[str, Series[Whole]] = {}


class AliasesForm(Form):
    """aliases.toml."""

    aliases: dict[str, str] = {}


class UnderlyingsForm(Form):
    """underlyings.toml."""

    names: dict[Literal["NSE", "BSE"], list[str]] = {}


FORMS: dict[str, type[Form]] = {
    "aliases.toml": AliasesForm,
    "calendar.toml": CalendarForm,
    "charges.toml": ChargesForm,
    "closing_auction.toml": ClosingAuctionForm,
    "contracts.toml": ContractsForm,
    "kite_limits.toml": KiteLimitsForm,
    "lots.toml": LotsForm,
    "physical_settlement.toml": PhysicalSettlementForm,
    "price_bands.toml": PriceBandsForm,
    "trading_limits.toml": TradingLimitsForm,
    "underlying_charges.toml": UnderlyingChargesForm,
    "underlyings.toml": UnderlyingsForm,
}
"""Form by the name of the packaged file."""
