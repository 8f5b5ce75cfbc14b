"""Events about the system itself."""

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from libs.events.candles import Interval
from libs.events.event import Event, Told
from libs.events.orders import Mode

ChangeableMode = Literal["disabled", "logging_only", "paper", "live"]
"""The modes that can be set while the executor runs; live only where the settings say live."""
DisarmCause = Literal["asked", "time", "trades", "quarantine", "mode", "other_executor"]
"""Why an arming ended."""


class ControlEvent(Event):
    """An event of one account; `account` is `default` if there is only one."""

    account: str = "default"
    reason: str = ""

    def told(self) -> Told:
        """Return the reason."""
        return {"reason": self.reason}


class TradingHalted(ControlEvent):
    """No new position may be opened until trading is resumed; exits continue."""

    type: Literal["TradingHalted"] = "TradingHalted"


class TradingResumed(ControlEvent):
    """New positions may be opened again."""

    type: Literal["TradingResumed"] = "TradingResumed"


class ModeChanged(ControlEvent):
    """The executor's mode was changed.

    `settings_mode` is the mode in the settings at that time. The change ends when the settings
    name another mode.
    """

    type: Literal["ModeChanged"] = "ModeChanged"
    mode: ChangeableMode
    settings_mode: Mode

    def told(self) -> Told:
        """Return the mode and the reason."""
        return {**super().told(), "mode": self.mode}


class Armed(ControlEvent):
    """A person lets live entries be sent until a time of the same trading day.

    `trades` is how many positions may be opened by it, `lots_a_trade` how large each may be; None:
    as the settings say. `holder` is the process that it was given to, `is_real` whether its account
    is a real one.
    """

    type: Literal["Armed"] = "Armed"
    until: AwareDatetime
    by: str
    trades: int | None = None
    lots_a_trade: int | None = None
    is_real: bool = False
    holder: str = ""

    def told(self) -> Told:
        """Return who armed it, until when (ISO 8601), and its limits."""
        limits: Told = {"trades": self.trades, "lots_a_trade": self.lots_a_trade}
        return super().told() | {"by": self.by, "until": self.until.isoformat()} | limits


class Disarmed(ControlEvent):
    """The arming `armed_id` has ended: no live entry is sent, exits go on."""

    type: Literal["Disarmed"] = "Disarmed"
    armed_id: UUID
    cause: DisarmCause
    by: str = ""

    def told(self) -> Told:
        """Return why, and who asked for it."""
        return {**super().told(), "cause": self.cause, "by": self.by}


class RiskLimitReached(ControlEvent):
    """A risk limit refused a trade or halted the day; `value` reached `maximum`.

    `strategy` is that of a limit of one strategy. `daily_profit_armed`: a profit was reached that
    is locked once it falls.
    """

    type: Literal["RiskLimitReached"] = "RiskLimitReached"
    limit: str
    value: float
    maximum: float
    strategy: str = Field("", exclude_if=lambda name: not name)

    def told(self) -> Told:
        """Return the limit with its value and maximum."""
        figures: Told = {"limit": self.limit, "value": self.value, "maximum": self.maximum}
        return super().told() | figures


class HistoryLoaded(ControlEvent):
    """The backfill of `days` is on `historical_candles`; gaps are listed.

    What the feed misses in the day is asked for too, in the intervals of `patched`: HistoryFetched.
    """

    type: Literal["HistoryLoaded"] = "HistoryLoaded"
    days: tuple[date, ...]
    candles: int
    gaps: tuple[str, ...] = ()
    patched: tuple[Interval, ...] = ()

    def told(self) -> Told:
        """Return how many days, candles and gaps."""
        counts: Told = {"days": len(self.days), "candles": self.candles, "gaps": len(self.gaps)}
        return super().told() | counts


class FeedFellSilent(ControlEvent):
    """No connection of the feed brings ticks though some are due: nothing is opened meanwhile."""

    type: Literal["FeedFellSilent"] = "FeedFellSilent"


class FeedCameBack(ControlEvent):
    """Ticks come again after a FeedFellSilent."""

    type: Literal["FeedCameBack"] = "FeedCameBack"


class StrategyStarted(ControlEvent):
    """A strategy has its history for so many instruments and can send signals."""

    type: Literal["StrategyStarted"] = "StrategyStarted"
    strategy: str
    instruments: int
    cold: tuple[str, ...] = ()

    def told(self) -> Told:
        """Return the strategy, and how many instruments are warm and cold."""
        counts: Told = {"instruments": self.instruments, "cold": len(self.cold)}
        return super().told() | {"strategy": self.strategy} | counts


class StrategyStopped(ControlEvent):
    """A strategy was stopped, for the reason given."""

    type: Literal["StrategyStopped"] = "StrategyStopped"
    strategy: str

    def told(self) -> Told:
        """Return the strategy and the reason."""
        return {**super().told(), "strategy": self.strategy}


Action = Literal["halt", "resume", "exit", "state", "mode", "arm", "disarm"]
Outcome = Literal["done", "refused"]


class ControlUsed(ControlEvent):
    """A request to the control endpoints; `token` is the name of its token."""

    type: Literal["ControlUsed"] = "ControlUsed"
    action: Action
    token: str
    outcome: Outcome

    def told(self) -> Told:
        """Return who asked for what, by the name of the token, and the outcome."""
        use: Told = {"by": self.token, "action": self.action, "outcome": self.outcome}
        return super().told() | use


class ServiceFailed(ControlEvent):
    """A service stopped because of an error."""

    type: Literal["ServiceFailed"] = "ServiceFailed"
    service: str

    def told(self) -> Told:
        """Return the service and the reason."""
        return {**super().told(), "failed": self.service}
