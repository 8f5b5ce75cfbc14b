"""What a decision stood on: every input, so that it can be made again from the record alone.

Times are epoch ms, prices rupees, fractions of 1; money is Decimal. A part that was not reached is
None: a signal that was refused for its age has no spot.
"""

from datetime import date
from decimal import Decimal
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict

from libs.events.exit_plan import ExitPlan
from libs.events.instruments import Contract

_set = object.__setattr__


class _Seen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    @classmethod
    def unchecked(cls, **fields: Any) -> Self:
        """Return one of all its fields, which must be of their types and in their order.

        As the constructor would, in a tenth of its time: a decision's order waits for its record.
        """
        made = cls.__new__(cls)
        _set(made, "__dict__", fields)
        _set(made, "__pydantic_fields_set__", set(fields))
        _set(made, "__pydantic_extra__", None)
        _set(made, "__pydantic_private__", None)
        return made


class SignalSeen(_Seen):
    """The signal's own figures; `occurred_ms` is from when its age counts."""

    tradingsymbol: str
    action: Literal["BUY", "SELL"]
    interval: str
    occurred_ms: int
    closed_ms: int
    price: float
    stop_loss: float
    target: float
    confidence: float
    expected_move: float


class LiveSeen(_Seen):
    """What a live entry needs besides: account, clock, bus, a session at the broker, an arming."""

    venue: str
    clock: str
    bus: str
    has_session: bool
    is_armed: bool


class LimitSeen(_Seen):
    """A risk limit and its use; it refuses from `value` = `maximum` on."""

    name: str
    value: Decimal
    maximum: Decimal


class RiskSeen(_Seen):
    """Halt and quarantine ("" without), the limits in their order, and the rupees at risk.

    `reached`: a limit of the day, of all or of the strategy, that refuses until the next day.
    The budgets of strategy and underlying are limits too, the last ones; what is `left` is by all.
    `stops_ms`: when the strategy was stopped in the underlying on this day.
    """

    halted_because: str
    quarantined_because: str
    reached: LimitSeen | None
    limits: tuple[LimitSeen, ...]
    stops_ms: tuple[int, ...]
    at_risk: Decimal
    left: Decimal


class ExpirySeen(_Seen):
    """An expiry that was considered: its day's close, and the last close before its settlement.

    `closes_ms` is None on a day without a known session, `leave_by_ms` where nothing is settled in
    shares.
    """

    expiry: date
    is_in_calendar: bool
    closes_ms: int | None
    leave_by_ms: int | None


class ListingSeen(_Seen):
    """The underlying's contracts: the day of the listing, its expiries, those considered.

    `listed_on` None: of no particular day. `day_closes_ms`: the close of the signal's day.
    """

    exchange: str
    calendar_until: date
    is_day_in_calendar: bool
    day_closes_ms: int | None
    listed_on: date | None
    expiries: tuple[date, ...]
    considered: tuple[ExpirySeen, ...]


class SpotSeen(_Seen):
    """The underlying's price: what it is of, and when it was that."""

    name: str
    price: float
    at_ms: int
    is_index: bool


class PairSeen(_Seen):
    """Mid prices of a strike's call and put, both with tight quotes, as parity takes them."""

    strike: float
    call: float
    put: float


class ChainSeen(_Seen):
    """The chosen expiry's chain: its time left, and the forward with how it was found.

    `parity`: the median over `pairs` of strike + (call − put) × e^(rate × years). `spot`: without a
    pair, the spot grown at `rate_of_spot` a year. `strikes`: those that were looked at.
    """

    expiry: date
    closes_ms: int
    seconds_to_expiry: float
    years: float
    strikes: tuple[float, ...]
    rate: float
    forward: float
    forward_by: Literal["parity", "spot"]
    rate_of_spot: float
    pairs: tuple[PairSeen, ...]


class PlanSeen(_Seen):
    """What was to be bought, also where a check then refused it; `quantity` in units."""

    lots: int
    quantity: int
    premium: Decimal
    limit_price: Decimal
    stop_loss: Decimal
    target: Decimal
    exit_plan: ExitPlan | None = None


class ChecksSeen(_Seen):
    """What the orders were checked against; None: not known, and so not checked.

    `quantities`: the slices, units. `highest_price`: the most that the exchange's price protection
    takes. `opens_ms`, `closes_ms`: its sessions of that day. `square_off`: when the broker ends the
    product, a time in India. `paused_until_ms`: until when a rejection for margin keeps the
    underlying from being bought, 0 for no pause.
    """

    product: str
    quantities: tuple[int, ...]
    freeze_quantity: int | None
    reference_price: Decimal | None
    highest_price: Decimal | None
    required_margin: Decimal | None
    available_margin: Decimal | None
    opens_ms: tuple[int, ...]
    closes_ms: tuple[int, ...]
    square_off: str | None
    paused_until_ms: int


class DecisionInputs(_Seen):
    """Everything that a decision stood on.

    `rules` are the executor's settings in force, by their names in [executor]: a new one is in the
    record by itself. `profile` names the one that was followed, `terms` are its own. `ages_ms`: how
    old the data was at each hop, `budgets_ms` how old it may be. `clock_off_ms`: how far the
    machine's clock is ahead of the exchange's. `silent_since_ms`: since when no tick came, 0 while
    they come.
    """

    at_ms: int
    mode: Literal["disabled", "logging_only", "paper", "live"]
    live: LiveSeen
    rules: dict[str, Any]
    profile: str
    terms: dict[str, Any]
    signal: SignalSeen
    ages_ms: dict[str, int]
    budgets_ms: dict[str, int]
    clock_off_ms: int
    silent_since_ms: int
    risk: RiskSeen
    listing: ListingSeen | None = None
    spot: SpotSeen | None = None
    chain: ChainSeen | None = None
    contract: Contract | None = None
    plan: PlanSeen | None = None
    checks: ChecksSeen | None = None
