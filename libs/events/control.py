"""Events about the system itself."""

from datetime import date
from typing import Literal

from libs.events.event import Event
from libs.events.orders import Mode

ChangeableMode = Literal["disabled", "logging_only", "paper"]
"""The modes that can be set while the executor runs; live is not one of them."""


class ControlEvent(Event):
    """An event of one account; `account` is `default` if there is only one."""

    account: str = "default"
    reason: str = ""


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


class RiskLimitReached(ControlEvent):
    """A risk limit refused a trade or halted the day; `value` reached `maximum`."""

    type: Literal["RiskLimitReached"] = "RiskLimitReached"
    limit: str
    value: float
    maximum: float


class HistoryLoaded(ControlEvent):
    """The backfill of `days` is on `historical_candles`; gaps are listed."""

    type: Literal["HistoryLoaded"] = "HistoryLoaded"
    days: tuple[date, ...]
    candles: int
    gaps: tuple[str, ...] = ()


class StrategyStarted(ControlEvent):
    """A strategy has its history for so many instruments and can send signals."""

    type: Literal["StrategyStarted"] = "StrategyStarted"
    strategy: str
    instruments: int
    cold: tuple[str, ...] = ()


class StrategyStopped(ControlEvent):
    """A strategy was stopped, for the reason given."""

    type: Literal["StrategyStopped"] = "StrategyStopped"
    strategy: str


Action = Literal["halt", "resume", "exit", "state", "mode"]
Outcome = Literal["done", "refused"]


class ControlUsed(ControlEvent):
    """A request to the control endpoints; `token` is the name of its token."""

    type: Literal["ControlUsed"] = "ControlUsed"
    action: Action
    token: str
    outcome: Outcome


class ServiceFailed(ControlEvent):
    """A service stopped because of an error."""

    type: Literal["ServiceFailed"] = "ServiceFailed"
    service: str
