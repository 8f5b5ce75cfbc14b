"""The signals of strategies, and what happens to them."""

from datetime import date, datetime
from typing import Literal, Protocol, Self
from uuid import UUID

from pydantic import AwareDatetime, Field

from libs.events.candles import Interval, length_ms
from libs.events.decision import DecisionInputs
from libs.events.event import Cause, Event, Told

Action = Literal["BUY", "SELL"]
OLDEST_MS = 24 * 3600 * 1000


class SignalFields(Event):
    """The fields of strategy signals and generated signals. Prices are the underlying's."""

    strategy: str
    strategy_version: str
    parameters: dict[str, float | str]
    exchange: str
    tradingsymbol: str
    underlying: str
    interval: Interval
    candle_opened_at: AwareDatetime
    candle_closed_at: AwareDatetime
    action: Action
    price: float
    stop_loss: float
    target: float
    confidence: float
    expected_move: float
    indicators: dict[str, float]

    def told(self) -> Told:
        """Return what is signalled, with the underlying's prices."""
        return {
            "strategy": self.strategy,
            "action": self.action,
            "tradingsymbol": self.tradingsymbol,
            "interval": self.interval,
            "price": self.price,
            "stop_loss": self.stop_loss,
            "target": self.target,
        }


class StrategySignal(SignalFields):
    """A strategy wants to buy or sell. `expected_move` in percent, `confidence` 0..1."""

    type: Literal["StrategySignal"] = "StrategySignal"


class SignalGenerated(SignalFields):
    """A validated strategy signal that is not a duplicate; its event_id is the signal id."""

    type: Literal["SignalGenerated"] = "SignalGenerated"

    @classmethod
    def of(cls, signal: StrategySignal) -> Self:
        """Return the generated signal of a strategy's signal, which has one."""
        return cls(
            **cls.after(signal, signal.event_id),
            strategy=signal.strategy,
            strategy_version=signal.strategy_version,
            parameters=signal.parameters,
            exchange=signal.exchange,
            tradingsymbol=signal.tradingsymbol,
            underlying=signal.underlying,
            interval=signal.interval,
            candle_opened_at=signal.candle_opened_at,
            candle_closed_at=signal.candle_closed_at,
            action=signal.action,
            price=signal.price,
            stop_loss=signal.stop_loss,
            target=signal.target,
            confidence=signal.confidence,
            expected_move=signal.expected_move,
            indicators=signal.indicators,
        )

    @property
    def signal_id(self) -> UUID:
        """The id under which orders and positions know this signal."""
        return self.event_id


def allowed_age_ms(signal: SignalFields, max_age_ms: int | None) -> int:
    """Return the age up to which a signal may be acted on; see `staleness`."""
    wanted_ms = 2 * length_ms(signal.interval) if max_age_ms is None else max_age_ms
    return min(wanted_ms, OLDEST_MS)


def staleness(
    signal: SignalFields, now_ms: int, max_age_ms: int | None
) -> dict[str, float | str] | None:
    """Return the age and the allowed age, in seconds, of a signal too old to act on, else None.

    `max_age_ms` None allows two intervals of the signal's candle; 24 h is the most in any case.
    """
    age_ms, allowed_ms = now_ms - signal.occurred_ms, allowed_age_ms(signal, max_age_ms)
    if age_ms <= allowed_ms:
        return None
    return {"age_seconds": age_ms / 1000, "allowed_seconds": allowed_ms / 1000}


class SignalOrigin(Cause, Protocol):
    """An event that belongs to a signal: the signal itself, its orders or its position."""

    @property
    def signal_id(self) -> UUID: ...  # noqa: D102
    @property
    def strategy(self) -> str: ...  # noqa: D102
    @property
    def underlying(self) -> str: ...  # noqa: D102
    @property
    def tradingsymbol(self) -> str: ...  # noqa: D102
    @property
    def action(self) -> Action: ...  # noqa: D102


class SignalUpdate(Event):
    """A change of a signal's state; `numbers` are the figures behind it."""

    signal_id: UUID
    strategy: str
    underlying: str
    tradingsymbol: str
    action: Action
    reason: str = ""
    numbers: dict[str, float | str] = Field(default_factory=dict)

    def told(self) -> Told:
        """Return the signal and the reason of the change."""
        return {
            "strategy": self.strategy,
            "action": self.action,
            "tradingsymbol": self.tradingsymbol,
            "reason": self.reason,
        }

    @classmethod
    def of(
        cls,
        origin: SignalOrigin,
        occurred_at: datetime,
        trading_day: date,
        reason: str = "",
        numbers: dict[str, float | str] | None = None,
        cause: Cause | None = None,
    ) -> Self:
        """Return the update of this kind, one per signal; `cause` defaults to the origin."""
        envelope = cls.after(
            cause or origin,
            origin.signal_id,
            occurred_at=occurred_at,
            trading_day=trading_day,
            correlation_id=origin.correlation_id,
        )
        return cls(
            **envelope,
            type=cls.__name__,
            signal_id=origin.signal_id,
            strategy=origin.strategy,
            underlying=origin.underlying,
            tradingsymbol=origin.tradingsymbol,
            action=origin.action,
            reason=reason,
            numbers=numbers or {},
        )


class SignalValidated(SignalUpdate):
    """The signal passed validation and was published."""

    type: Literal["SignalValidated"] = "SignalValidated"


class SignalRejected(SignalUpdate):
    """The signal service or the executor refused the signal."""

    type: Literal["SignalRejected"] = "SignalRejected"


class SignalLogged(SignalUpdate):
    """The decision was made and logged; in this mode nothing is traded."""

    type: Literal["SignalLogged"] = "SignalLogged"


class SignalActivated(SignalUpdate):
    """The entry's first fill opened a position."""

    type: Literal["SignalActivated"] = "SignalActivated"


class SignalCompleted(SignalUpdate):
    """The position was closed by its target or another planned exit."""

    type: Literal["SignalCompleted"] = "SignalCompleted"


class SignalStopped(SignalUpdate):
    """The position was closed by its stop loss."""

    type: Literal["SignalStopped"] = "SignalStopped"


class SignalExpired(SignalUpdate):
    """The entry was not filled, or nobody acted on the signal in time."""

    type: Literal["SignalExpired"] = "SignalExpired"


class ExecutionDecided(Event):
    """Why the executor traded a signal or not, with all candidate contracts.

    By `inputs` and `candidates` strike, lots and levels, or the reason, can be computed again;
    older records have no inputs.
    """

    type: Literal["ExecutionDecided"] = "ExecutionDecided"
    signal_id: UUID
    strategy: str
    underlying: str
    outcome: Literal["executed", "logged", "refused"]
    reason: str
    numbers: dict[str, float | str]
    tradingsymbol: str = ""
    expiry: date | None = None
    lots: int = 0
    quantity: int = 0
    premium: float = 0.0
    candidates: tuple[dict[str, int | float | str | None], ...] = ()
    inputs: DecisionInputs | None = None

    def told(self) -> Told:
        """Return the outcome with its reason, and what was or would be bought; rupees."""
        return {
            "outcome": self.outcome,
            "reason": self.reason,
            "strategy": self.strategy,
            "underlying": self.underlying,
            "contract": self.tradingsymbol,
            "lots": self.lots,
            "premium": self.premium,
        }
