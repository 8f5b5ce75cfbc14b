"""The base class of strategies: no I/O, one object per instrument."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from inspect import Parameter, Signature, signature
from typing import Any, ClassVar, NotRequired, Self, TypedDict, Unpack, get_args

from libs.errors import AlphaStocksError
from libs.events.candles import Candle, Interval
from libs.events.event import identity, utc_from_ms
from libs.events.signals import Action, StrategySignal
from libs.market.instruments import underlying_name

Parameters = dict[str, float | str]


class WrongSignal(AlphaStocksError, ValueError):
    """A signal with levels that contradict its action, or with an invalid number."""


class Levels(TypedDict):
    """The fields of a signal that a strategy sets.

    `stop_loss`, `target` and `price` (by default the candle's close) are prices of the instrument,
    in rupees or index points; `confidence` is 0..1; `indicators` are kept with the signal.
    """

    stop_loss: float
    target: float
    confidence: float
    price: NotRequired[float | None]
    indicators: NotRequired[Mapping[str, float] | None]


class Strategy(ABC):
    """A strategy on one instrument.

    `on_candle` is called once per closed candle of `interval`, in order, first for the history;
    `on_other_candle` likewise for `other_intervals`. Of candles that close at the same time the
    shorter interval comes first. Signals are ignored until it has seen `history_needed` candles.
    `name` is used in the settings; another `version` gives signals other ids.
    """

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    interval: Interval = "15m"
    other_intervals: tuple[Interval, ...] = ()
    history_needed: int = 50
    _arguments: Parameters
    _given: tuple[tuple[Any, ...], dict[str, Any]]
    _shape: "_Shape | None"

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Keep the constructor's arguments, which are the parameters."""
        made = super().__new__(cls)
        made._arguments = _arguments(_signature(cls.__init__), (made, *args), kwargs)
        made._given = args, kwargs
        made._shape = None
        return made

    def __init__(self) -> None:  # noqa: B027  the one of `object` takes any argument
        """Take no parameters; a subclass may define some as arguments."""

    @property
    def parameters(self) -> Parameters:
        """The constructor's arguments, defaults included; they are part of a signal's id."""
        return dict(self._arguments)

    def anew(self) -> Self:
        """Return a new object of the same class with the same arguments: without any history."""
        args, kwargs = self._given
        return type(self)(*args, **kwargs)

    @abstractmethod
    def on_candle(self, candle: Candle) -> StrategySignal | None:
        """Take the next candle, in O(1) time, and return a signal or None."""

    def on_other_candle(self, candle: Candle) -> None:  # noqa: B027  most need none
        """Take the next candle of one of `other_intervals`."""

    def on_session_open(self, trading_day: date) -> None:  # noqa: B027  most need none
        """Prepare for a trading day, before its first candle."""

    def on_session_close(self, trading_day: date) -> None:  # noqa: B027  most need none
        """End a trading day, after its last candle: at the latest before the next day opens."""

    def buy(self, candle: Candle, **levels: Unpack[Levels]) -> StrategySignal:
        """Return a BUY signal: stop loss < price < target; see `signal`."""
        return self.signal(candle, "BUY", **levels)

    def sell(self, candle: Candle, **levels: Unpack[Levels]) -> StrategySignal:
        """Return a SELL signal: target < price < stop loss; see `signal`."""
        return self.signal(candle, "SELL", **levels)

    def signal(
        self,
        candle: Candle,
        action: Action,
        *,
        stop_loss: float,
        target: float,
        confidence: float,
        price: float | None = None,
        indicators: Mapping[str, float] | None = None,
    ) -> StrategySignal:
        """Return the signal of this strategy on a candle; its id depends on these two only.

        Raises WrongSignal for levels on the wrong side of the price, a confidence outside 0..1,
        or an indicator that is not finite.
        """
        at = float(candle.close if price is None else price)
        stop_loss, target, confidence = float(stop_loss), float(target), float(confidence)
        _check(action, at, stop_loss, target, confidence)
        named = dict(indicators or {})
        _check_indicators(action, at, named)
        shape = self._shape_now()
        cause, closed_at = candle.candle_id, candle.occurred_at
        changing = {
            "event_id": identity(StrategySignal.__name__, *shape.parts, candle.key, cause, action),
            "occurred_at": closed_at,
            "trading_day": candle.trading_day,
            "correlation_id": cause,
            "causation_id": cause,
            "exchange": candle.exchange,
            "tradingsymbol": candle.tradingsymbol,
            "underlying": underlying_name(candle.tradingsymbol),
            "candle_opened_at": utc_from_ms(candle.opened_ms),
            "candle_closed_at": closed_at,
            "action": action,
            "price": at,
            "stop_loss": stop_loss,
            "target": target,
            "confidence": confidence,
            "expected_move": abs(target - at) / at * 100.0,
            "indicators": named,
        }
        return shape.signal(changing)

    def _shape_now(self) -> "_Shape":
        """Return what is the same in all signals, made anew when one of it has changed."""
        parameters = self.parameters
        same = (self.name, self.version, self.interval, parameters)
        if self._shape is None or self._shape.same != same:
            parts = (self.name, self.version, str(sorted(parameters.items())))
            self._shape = _Shape((*same[:3], dict(parameters)), parts)
        return self._shape


@dataclass(slots=True)
class _Shape:
    """What all signals of a strategy object have in common, and its part of their ids.

    The first signal is checked whole; those after it differ in fields whose types are known, and
    are checked again where an indicator or an action is new.
    """

    same: tuple[str, str, Interval, Parameters]
    parts: tuple[str, ...]
    fields: dict[str, Any] = field(default_factory=dict)

    def signal(self, changing: dict[str, Any]) -> StrategySignal:
        """Return the signal with these fields."""
        named = changing["indicators"]
        is_known = self.fields and self.fields["indicators"].keys() == named.keys()
        if not is_known or changing["action"] not in _ACTIONS:
            return self._checked(changing)
        changing["indicators"] = {name: float(value) for name, value in named.items()}
        parameters = dict(self.fields["parameters"])
        return StrategySignal.unchecked({**self.fields, **changing, "parameters": parameters})

    def _checked(self, changing: dict[str, Any]) -> StrategySignal:
        name, version, interval, parameters = self.same
        made = StrategySignal(
            strategy=name,
            strategy_version=version,
            interval=interval,
            parameters=parameters,
            **changing,
        )
        self.fields = {name: getattr(made, name) for name in StrategySignal.model_fields}
        return made


_ACTIONS = get_args(Action)


def check_signal(signal: StrategySignal) -> None:
    """Raise WrongSignal for a signal, made by whatever means, whose levels contradict it."""
    _check(signal.action, signal.price, signal.stop_loss, signal.target, signal.confidence)


def _check_indicators(action: Action, price: float, named: Mapping[str, float]) -> None:
    for name, value in named.items():
        if not math.isfinite(value):
            raise WrongSignal(f"{action} at {price}: indicator {name} is {value}")


def _check(
    action: Action, price: float, stop_loss: float, target: float, confidence: float
) -> None:
    low, high = (stop_loss, target) if action == "BUY" else (target, stop_loss)
    if not (price > 0 and low < price < high and math.isfinite(low) and math.isfinite(high)):
        raise WrongSignal(f"{action} at {price}: stop loss {stop_loss}, target {target}")
    if not 0.0 <= confidence <= 1.0:
        raise WrongSignal(f"{action} at {price}: confidence {confidence} is not within 0..1")


@cache
def _signature(function: Callable[..., object]) -> Signature:
    return signature(function)


def _arguments(
    taken: Signature, args: tuple[object, ...], kwargs: Mapping[str, object]
) -> Parameters:
    """Return the arguments by name, without `self`; raise TypeError for an unknown one."""
    bound = taken.bind_partial(*args, **kwargs)
    bound.apply_defaults()
    named = [name for name, one in taken.parameters.items() if one.kind in _NAMED][1:]
    given = {name: bound.arguments[name] for name in named if name in bound.arguments}
    return {name: _plain(value) for name, value in given.items()}


_NAMED = (
    Parameter.POSITIONAL_ONLY,
    Parameter.POSITIONAL_OR_KEYWORD,
    Parameter.KEYWORD_ONLY,
)


def _plain(value: object) -> float | str:
    return value if isinstance(value, float | int | str) else str(value)
