"""Log lines for a person: what happened, as a sentence.

    10:12:05 executor  bought 2 lots NIFTY26JUN24900CE at ₹101.50 (signal ma_crossover BUY NIFTY 50)

The time is in India: the market's for an event, the machine's for anything else.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from string import Formatter
from typing import Any

import structlog

from libs.events.reasons import in_words
from libs.market.calendar import IST
from libs.market.rupees import grouped, rupees
from libs.runtime.shown import on_one_line

_SIGNAL = "(signal {strategy} {action} {tradingsymbol})"
_ORDER = "the order to {transaction_type:verb} {lots:lots} {contract}"

SENTENCES: Mapping[str, str] = {
    "StrategySignal": "{strategy} signals {action} {tradingsymbol} at {price:number}, "
    "stop {stop_loss:number}, target {target:number} ({interval})",
    "SignalRejected": "refuses the signal {strategy} {action} {tradingsymbol}{reason:because}",
    "SignalExpired": "the signal {strategy} {action} {tradingsymbol} has expired{reason:because}",
    "ExecutionDecided.logged": "would buy {lots:lots} {contract} at {premium:rupees} "
    "(signal {strategy} on {underlying}); the mode is logging_only",
    "OrderPlanned.entry": f"will buy {{lots:lots}} {{contract}} at {{price:rupees}} {_SIGNAL}",
    "OrderPlanned.exit": "will sell {lots:lots} {contract}{reason:because}",
    "OrderPlaced": f"the broker has {_ORDER}",
    "OrderFilled.entry": f"bought {{lots:lots}} {{contract}} at {{price:rupees}} {_SIGNAL}",
    "OrderFilled.exit": f"sold {{lots:lots}} {{contract}} at {{price:rupees}} {_SIGNAL}",
    "OrderRejected": f"the broker rejected {_ORDER}{{reason:because}}",
    "OrderCancelled": f"cancelled {_ORDER}{{reason:because}}",
    "OrderUnresolved": f"look at the broker's book: in doubt is {_ORDER}{{reason:because}}",
    "PositionOpened": "holds {lots:lots} {contract} from {entry_price:rupees}, "
    "stop {stop_loss:rupees}, target {target:rupees}",
    "PositionClosed": "closed {contract}{exit_reason:because}, in {entry_price:rupees}, "
    "out {exit_price:rupees}, net {net:rupees}",
    "PositionAlerted": "look at the position in {contract}{reason:because}",
    "ExitRequested": "wants a position closed{reason:because}",
    "PerformanceMeasured": "{strategy} on {underlying} today: {trades} closed, net {net:rupees}",
    "TradingHalted": "trading is halted, exits go on{reason:because}",
    "TradingResumed": "trading goes on{reason:because}",
    "ModeChanged": "the mode is now {mode}{reason:because}",
    "Armed": "live entries may be sent until {until:clock}, armed by {by}{reason:because}",
    "Disarmed": "no live entry is sent any more, exits go on{reason:because}",
    "RiskLimitReached": "a limit is reached: {limit:words} ({value:number} of {maximum:number})",
    "HistoryLoaded": "history is loaded: {days} days, {candles:number} candles, {gaps} gaps",
    "FeedFellSilent": "nothing is opened, exits go on{reason:because}",
    "FeedCameBack": "ticks come again: positions may be opened",
    "StrategyStarted": "{strategy} has its history on {instruments} instruments, not on {cold}",
    "StrategyStopped": "an error has stopped the strategy {strategy}{reason:because}",
    "ControlUsed": "{by} asked for {action}: {outcome}{reason:because}",
    "ServiceFailed": "the service {failed} has failed{reason:because}",
}
"""Event, or event and its variant → the sentence, with the fields that the event tells."""

MESSAGES: Mapping[str, str] = {
    "service started": "has started",
    "service stopped": "has stopped",
    "service failed": "has failed{reason:because}",
    "next trading day": "waits for the next trading day, {day}, from {opens_at:clock}",
    "partitions restored": "has restored {partitions} partitions in {seconds} s",
    "fetching history": "fetches history in {requests:number} requests",
    "history": "has fetched {done:number} of {of:number} parts of the history, "
    "about {seconds_left:number} s left",
    "history is fetched": "has fetched the history, {requests:number} requests in {seconds} s",
    "Kite's ticker is silent": "Kite's ticker has been silent for {seconds:number} s",
}
"""Log message that is no sentence by itself → the sentence."""

UNTOLD = frozenset(
    {
        *("SignalGenerated", "SignalValidated", "SignalLogged", "SignalActivated"),
        *("SignalCompleted", "SignalStopped", "ExecutionDecided", "PositionUpdated"),
    }
)
"""Events that say on a terminal only what another one says there."""

_ENVELOPE = ("event", "level", "time", "service", "exception")


def tell(_logger: object, _method: str, event: structlog.typing.EventDict) -> str:
    """Return a log entry as a line for a person; drop what another line says."""
    what = str(event.get("type", event["event"]))
    template = _template(what, event)
    if template is None and what in UNTOLD:
        raise structlog.DropEvent
    line = on_one_line(_line(template, event))
    return f"{line}\n{event['exception']}" if event.get("exception") else line


def _line(template: str | None, event: Mapping[str, Any]) -> str:
    """Return time, service and sentence, or the plain line: a text for people stops no order."""
    try:
        said = _FORMATTER.vformat(template, (), event) if template else _plain(event)
        clock = _clock(event)
    except Exception as error:  # noqa: BLE001  the event is published; what fails here is its text
        said, clock = f"{_plain(event)}; no sentence: {error!r}", str(event.get("time", ""))
    level = str(event.get("level", "info"))
    warned = f"{level}: " if level in {"warning", "error", "critical"} else ""
    return f"{clock} {event.get('service', '')!s:9} {warned}{said}"


def _template(what: str, event: Mapping[str, Any]) -> str | None:
    variant = event.get("leg") or event.get("outcome")
    return SENTENCES.get(f"{what}.{variant}") or SENTENCES.get(what) or MESSAGES.get(what)


def _plain(event: Mapping[str, Any]) -> str:
    """Return any other entry: its message, the reason, and its fields."""
    why = next((str(event[name]) for name in ("reason", "error") if event.get(name)), "")
    known = (*_ENVELOPE, "reason", "error")
    fields = ", ".join(f"{name}={value}" for name, value in event.items() if name not in known)
    return f"{event['event']}{_because(why)}" + (f" ({fields})" if fields else "")


def _clock(event: Mapping[str, Any]) -> str:
    return _time(str(event.get("occurred_at") or event["time"]))


def _time(at: str) -> str:
    return f"{datetime.fromisoformat(at).astimezone(IST):%H:%M:%S}"


def _because(reason: object) -> str:
    return f": {in_words(str(reason))}" if reason else ""


def _lots(lots: float) -> str:
    return f"{lots:g} {'lot' if lots == 1 else 'lots'}"


def _number(value: float | str) -> str:
    if not isinstance(value, int | float):
        return str(value)
    digits = f"{abs(value):.2f}"
    whole, _, rest = digits.partition(".")
    sign = "-" if value < 0 and digits != "0.00" else ""
    return sign + grouped(int(whole)) + (f".{rest}" if rest != "00" else "")


_SPECS: Mapping[str, Callable[[Any], str]] = {
    "rupees": rupees,
    "lots": _lots,
    "number": _number,
    "words": in_words,
    "because": _because,
    "clock": _time,
    "verb": lambda side: str(side).lower(),
}


class _Words(Formatter):
    """Formats fields by the names above: `{price:rupees}`."""

    def format_field(self, value: Any, format_spec: str) -> str:
        """Return a field as text."""
        say = _SPECS.get(format_spec)
        return say(value) if say else str(super().format_field(value, format_spec))


_FORMATTER = _Words()
