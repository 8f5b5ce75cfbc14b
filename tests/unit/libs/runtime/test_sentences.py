"""What a person reads on a terminal of what happens."""

import io
import json
from decimal import Decimal

import pytest

from libs.events.control import StrategyStopped, TradingHalted
from libs.events.event import Event, utc_from_ms
from libs.events.orders import OrderFilled
from libs.events.positions import PositionClosed
from libs.events.signals import SignalRejected, SignalValidated
from libs.runtime.emitter import QUIET
from libs.runtime.logs import LogFormat, configure_logs, logger_of
from libs.runtime.sentences import SENTENCES, UNTOLD
from tests.unit.libs.events.samples import event_classes, sample
from tests.unit.services.executor.builders import DAY, NOW, signal
from tests.unit.services.executor.builders import position as held
from tests.unit.services.position.builders import fill

TOLD = [one for one in event_classes() if one.__name__ not in QUIET]
LOGGED = {"event", "level", "time", "service", "type", "event_id", "correlation_id", "occurred_at"}


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def said(event: Event, service: str = "executor", format: LogFormat = "auto") -> str:
    """What a terminal shows of an event that is published at its time."""
    stream = Terminal()
    configure_logs("info", format, stream)
    at = event.occurred_at.isoformat()
    logger_of(service).info("published", type=event.type, occurred_at=at, **event.told())
    return stream.getvalue()


def test_a_fill_says_what_was_bought_at_which_price_and_for_which_signal() -> None:
    event = fill(quantity=150, price="1234.50")
    assert said(event) == (
        "10:30:00 executor  bought 2 lots NIFTY2661625000CE at ₹1,234.50 "
        "(signal ma_crossover BUY NIFTY 50)\n"
    )


def test_a_refusal_says_why_in_words() -> None:
    event = SignalRejected.of(signal(), utc_from_ms(NOW), DAY, "positions")
    assert said(event) == (
        "10:30:00 executor  refuses the signal ma_crossover BUY NIFTY 50: "
        "as many positions are open as allowed\n"
    )


def test_a_closed_position_says_why_and_what_it_came_to() -> None:
    price = Decimal("70.5")
    event = held(1, PositionClosed, net="-2212.5", exit_price=price, exit_reason="stop_loss")
    text = said(event, "position")
    assert "position  closed " in text
    assert text.endswith(": stop loss, in ₹100.00, out ₹70.50, net -₹2,212.50\n")


def test_a_halt_and_a_strategy_that_was_stopped_say_their_reasons() -> None:
    envelope = TradingHalted.without_cause(occurred_at=utc_from_ms(NOW), trading_day=DAY)
    halted = TradingHalted(**envelope, reason="halted by asha: news")
    assert said(halted).endswith("trading is halted, exits go on: halted by asha: news\n")
    stopped = StrategyStopped(**envelope, strategy="pullback", reason="KeyError: 'x'")
    assert "an error has stopped the strategy pullback: KeyError: 'x'" in said(stopped)


def test_what_another_line_says_is_not_said_twice() -> None:
    assert said(SignalValidated.of(signal(), utc_from_ms(NOW), DAY)) == ""


@pytest.mark.parametrize("kind", TOLD, ids=lambda kind: kind.__name__)
def test_every_event_has_a_sentence_or_another_one_tells_it(kind: type[Event]) -> None:
    event = sample(kind)
    told = event.told()
    assert not LOGGED & told.keys() - {"occurred_at"}
    json.dumps(told)
    variants = [name for name in SENTENCES if name.partition(".")[0] == kind.__name__]
    assert bool(variants) or kind.__name__ in UNTOLD
    text = said(event)
    assert "published" not in text
    assert text.count("\n") <= 1
    assert bool(text) or kind.__name__ in UNTOLD


def test_every_sentence_is_of_an_event() -> None:
    names = {kind.__name__ for kind in TOLD}
    assert {name.partition(".")[0] for name in SENTENCES} <= names
    assert names >= UNTOLD


def test_waiting_for_a_day_is_a_sentence_too() -> None:
    stream = Terminal()
    configure_logs("info", "auto", stream)
    opens_at = "2026-06-22T08:30:00+05:30"
    logger_of("ingest").info("next trading day", day="2026-06-22", opens_at=opens_at)
    assert stream.getvalue().endswith(
        "ingest    waits for the next trading day, 2026-06-22, from 08:30:00\n"
    )


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("info", "ingest    the feed is silent: no answer (seconds=10)\n"),
        ("warning", "ingest    warning: the feed is silent: no answer (seconds=10)\n"),
    ],
)
def test_any_other_line_is_its_message_with_the_reason_and_the_fields(
    level: str, expected: str
) -> None:
    stream = Terminal()
    configure_logs("info", "auto", stream)
    getattr(logger_of("ingest"), level)("the feed is silent", reason="no answer", seconds=10)
    clock, _, rest = stream.getvalue().partition(" ")
    assert (len(clock), rest) == (8, expected)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"contract": "X", "exit_reason": "target", "entry_price": 1, "exit_price": None, "net": 2},
        {"occurred_at": "not a time"},
    ],
)
def test_a_sentence_that_fails_leaves_the_plain_line_and_says_so(fields: dict[str, object]) -> None:
    stream = Terminal()
    configure_logs("info", "auto", stream)
    logger_of("position").info("published", type="PositionClosed", **fields)
    (line,) = stream.getvalue().splitlines()
    assert " position  published (type=PositionClosed" in line
    assert "; no sentence: " in line


@pytest.mark.parametrize(
    ("value", "text"),
    [(-0.5, "-0.50"), (-0.001, "0"), (-1234567.25, "-12,34,567.25"), (-3, "-3"), (2.5, "2.50")],
)
def test_a_number_below_zero_keeps_its_sign(value: float, text: str) -> None:
    stream = Terminal()
    configure_logs("info", "auto", stream)
    logger_of("ingest").info("Kite's ticker is silent", seconds=value)
    assert stream.getvalue().endswith(f"silent for {text} s\n")


def test_an_error_on_a_terminal_has_its_traceback_below() -> None:
    stream = Terminal()
    configure_logs("info", "auto", stream)
    logger_of("candle").error("handler failed", exc_info=ValueError("no such price"))
    first, *below = stream.getvalue().splitlines()
    assert first.endswith("error: handler failed")
    assert below[-1] == "ValueError: no such price"


def test_elsewhere_a_line_is_json_with_the_same_fields() -> None:
    stream = io.StringIO()
    configure_logs("info", "auto", stream)
    event = fill(quantity=150, price="101.50")
    assert isinstance(event, OrderFilled)
    logger_of("executor").info("published", type=event.type, **event.told())
    line = json.loads(stream.getvalue())
    assert (line["contract"], line["lots"], line["price"]) == ("NIFTY2661625000CE", 2, 101.5)
    assert "2 lots" in said(event, format="text")
    assert json.loads(said(event, format="json"))["leg"] == "entry"
