"""The table of topics."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from libs.events import candles, control, instruments, orders, positions, signals, ticks
from libs.events.errors import UnknownTopic
from libs.events.event import Event

DAY_MS = 24 * 3600 * 1000
MARKET_PARTITIONS = 8
"""The same for `ticks` and `candles`: an instrument has the same partition in both."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic, its writers, and its readers (those that only restore state included).

    `retention_ms` None: kept for ever.
    """

    name: str
    events: tuple[type[Event], ...]
    key: str
    key_of: Callable[[Any], str]
    partitions: int
    retention_ms: int | None
    is_compacted: bool
    written_by: tuple[str, ...]
    read_by: tuple[str, ...]

    def partition_for(self, event: Event, partitions: int) -> int:
        """Return the event's own partition where it has one, else that of its key."""
        own = getattr(event, "partition", None)
        return int(own) if own is not None else partition_of_key(self.key_of(event), partitions)


def partition_of_key(key: str, partitions: int) -> int:
    """Return the partition of a key; the same in every process and on every machine."""
    return zlib.crc32(key.encode()) % partitions


_SIGNAL_UPDATES = (
    signals.SignalValidated,
    signals.SignalRejected,
    signals.SignalLogged,
    signals.SignalActivated,
    signals.SignalCompleted,
    signals.SignalStopped,
    signals.SignalExpired,
)
_ORDERS = (
    orders.OrderPlanned,
    orders.OrderPlaced,
    orders.OrderFilled,
    orders.OrderRejected,
    orders.OrderCancelled,
    orders.OrderUnresolved,
)
_HISTORY = (candles.CandleBatch, candles.HistoryFetched)
_POSITIONS = (positions.PositionOpened, positions.PositionUpdated, positions.PositionClosed)
_CONTROL = (
    control.TradingHalted,
    control.TradingResumed,
    control.ModeChanged,
    control.Armed,
    control.Disarmed,
    control.RiskLimitReached,
    control.HistoryLoaded,
    control.FeedFellSilent,
    control.FeedCameBack,
    control.StrategyStarted,
    control.StrategyStopped,
    control.ControlUsed,
    control.ServiceFailed,
    positions.PositionAlerted,
)


def _by_partition(event: Any) -> str:
    return str(event.partition)


def _by_instrument(event: instruments.InstrumentListed) -> str:
    expiry = event.expiry.isoformat() if event.expiry else ""
    return f"{event.exchange}:{event.tradingsymbol}:{expiry}"


def _by_underlying(event: Any) -> str:
    return str(event.underlying)


def _by_signal(event: Any) -> str:
    return str(event.signal_id)


def _by_position(event: Any) -> str:
    return str(event.position_id)


def _by_strategy(event: positions.PerformanceMeasured) -> str:
    return event.strategy


def _by_account(event: control.ControlEvent) -> str:
    return event.account


_EXECUTOR_WRITER, _POSITION_WRITER = "executor's writer", "position's writer"
# fmt: off
TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        #     name                 events                           key            key_of          partitions         retention    compacted  written by                         read by  # noqa: E501
        Topic("ticks",             (ticks.TickBatch,),              "partition",   _by_partition,  MARKET_PARTITIONS, DAY_MS,      False, ("ingest",),                           ("candle", "executor", "position", "ingest's writer")),  # noqa: E501
        Topic("instruments",       (instruments.InstrumentListed,), "instrument",  _by_instrument, 1,                 None,        True,  ("ingest",),                           ("candle", "executor", "ingest", "ingest's writer")),  # noqa: E501
        Topic("candles",           (candles.CandleBatch,),          "partition",   _by_partition,  MARKET_PARTITIONS, 7 * DAY_MS,  False, ("candle",),                           ("strategy", "candle", "candle's writer")),  # noqa: E501
        Topic("historical_candles", _HISTORY,                       "partition",   _by_partition,  MARKET_PARTITIONS, DAY_MS,      False, ("ingest",),                           ("strategy", "candle's writer")),  # noqa: E501
        Topic("option_chains",     (instruments.ChainSnapshot,),    "underlying",  _by_underlying, 1,                 DAY_MS,      False, ("executor",),                         (_EXECUTOR_WRITER,)),  # noqa: E501
        Topic("strategy_signals",  (signals.StrategySignal,),       "underlying",  _by_underlying, 4,                 7 * DAY_MS,  False, ("strategy",),                         ("signal", "strategy's writer")),  # noqa: E501
        Topic("signal_generated",  (signals.SignalGenerated,),      "underlying",  _by_underlying, 4,                 7 * DAY_MS,  False, ("signal",),                           ("executor", "position", "signal", "signal's writer")),  # noqa: E501
        Topic("signal_updates",    _SIGNAL_UPDATES,                 "signal",      _by_signal,     4,                 7 * DAY_MS,  False, ("signal", "executor", "position"),    ("signal", "executor", "signal's writer")),  # noqa: E501
        Topic("decisions",         (signals.ExecutionDecided,),     "signal",      _by_signal,     1,                 7 * DAY_MS,  False, ("executor",),                         ("executor", _EXECUTOR_WRITER)),  # noqa: E501
        Topic("orders",            _ORDERS,                         "signal",      _by_signal,     4,                 30 * DAY_MS, False, ("executor",),                         ("position", "executor", "signal", _EXECUTOR_WRITER)),  # noqa: E501
        Topic("positions",         _POSITIONS,                      "position",    _by_position,   4,                 None,        True,  ("position",),                         ("executor", "ingest", "position", _POSITION_WRITER)),  # noqa: E501
        Topic("exit_requests",     (positions.ExitRequested,),      "position",    _by_position,   4,                 7 * DAY_MS,  False, ("position", "executor"),              ("executor", "position")),  # noqa: E501
        Topic("performance",       (positions.PerformanceMeasured,), "strategy",   _by_strategy,   1,                 30 * DAY_MS, False, ("position",),                         (_POSITION_WRITER,)),  # noqa: E501
        Topic("control",           _CONTROL,                        "account",     _by_account,    1,                 30 * DAY_MS, False, ("any service",),                      ("all",)),  # noqa: E501
    )
}
# fmt: on
MARKET_TOPICS = tuple(topic.name for topic in TOPICS.values() if topic.key == "partition")
"""The topics whose events carry their own partition."""
TOPIC_OF: dict[str, str] = {
    event.model_fields["type"].default: topic.name
    for topic in TOPICS.values()
    for event in topic.events
    if (topic.name, event) != ("historical_candles", candles.CandleBatch)
}
"""Event type → the topic it is published on, unless the publisher names another."""


def topic_named(name: str) -> Topic:
    """Return the topic of the table; raise UnknownTopic for a name that is not in it."""
    try:
        return TOPICS[name]
    except KeyError:
        raise UnknownTopic(f"no topic is called {name!r}; known: {', '.join(TOPICS)}") from None


def is_business(name: str) -> bool:
    """Return whether each message of a topic matters; a lost tick is replaced by the next one."""
    return name != "ticks"


def dead_letter_topic(name: str) -> str:
    """Return the name of a topic's dead-letter topic."""
    return f"{name}.dlq"
