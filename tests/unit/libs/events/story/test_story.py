"""The story of a signal: put together, found by what a person knows of it, and told."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from libs.events.candles import CandleBatch, CandleColumns
from libs.events.event import Event, identity, ms_from_utc, utc_from_ms
from libs.events.orders import OrderPlanned
from libs.events.positions import ExitRequested, PositionClosed, PositionOpened
from libs.events.signals import SignalGenerated, SignalRejected, StrategySignal
from libs.events.story.finding import NoStory, find
from libs.events.story.story import Story, candle_of, stories_of
from libs.events.story.telling import StoryTold, told
from tests.unit.services.executor.builders import (
    DAY,
    NOW,
    exit_requested,
    list_chain,
    make_executor,
    position,
    signal,
)
from tests.unit.services.executor.venue import Trading


def traded() -> list[Event]:
    """A signal, its decision and entry, a position, the request to leave it, and its end."""
    trading = Trading(list_chain(make_executor()))
    trading.hear(signal())
    (entry,) = trading.plans("entry")
    trading.fill(entry.tag, entry.quantity)
    request = exit_requested(entry.position_id)
    trading.hear(request)
    (sale,) = trading.plans("exit")
    trading.fill(sale.tag, sale.quantity)
    opened = position()
    closed = position(
        kind=PositionClosed, net="-2300", at_ms=NOW + 90_000, exit_price=70, exit_reason="stop_loss"
    )
    return [signal(), *trading.events, opened, request, closed]


def refused() -> list[Event]:
    trading = Trading(list_chain(make_executor()))
    trading.hear(signal(2, confidence=0.1))
    return [signal(2, confidence=0.1), *trading.events]


AT = utc_from_ms(NOW)
EVENTS = [*traded(), *refused()]
STORIES = stories_of(EVENTS)
TRADED, REFUSED = (STORIES[signal(number).signal_id] for number in (1, 2))


def text_of(story: StoryTold, title: str) -> str:
    (section,) = (one for one in story.sections if one.title == title)
    return "\n".join((*section.lines, *(" | ".join(row) for row in section.rows)))


def test_events_are_put_together_by_signal_and_a_repeat_changes_nothing() -> None:
    assert set(STORIES) == {signal(1).signal_id, signal(2).signal_id}
    twice = stories_of([event for event in EVENTS for _ in range(2)])
    assert [one.events() for one in twice.values()] == [one.events() for one in STORIES.values()]


def test_a_strategys_signal_belongs_to_the_story_of_what_is_generated_from_it() -> None:
    fields = signal().model_dump(exclude={"type"}) | {"event_id": identity("of the strategy")}
    first = StrategySignal(**fields)
    generated = SignalGenerated.of(first)
    (story,) = stories_of([first, generated]).values()
    assert (story.strategy_signal, story.generated) == (first, generated)


def every_id() -> list[str]:
    order, its = TRADED.orders[0], TRADED.positions[0]
    ids = (TRADED.signal_id, order.order_id, order.tag, its.position_id, order.event_id)
    return [str(one) for one in ids]


@pytest.mark.parametrize("asked", [*every_id(), *(one[:8].upper() for one in every_id())])
def test_a_story_is_found_by_each_of_its_ids_and_by_their_beginning(asked: str) -> None:
    assert find(STORIES.values(), asked) is TRADED


def test_a_story_is_found_by_its_contract_on_its_day() -> None:
    contract = TRADED.positions[0].contract.tradingsymbol
    assert find([TRADED], contract.lower(), DAY) is TRADED
    with pytest.raises(
        NoStory, match=r"no signal of 2026-06-11 is here; days: 2026-06-10 \(--date"
    ):
        find([TRADED], contract, DAY + timedelta(days=1))


def test_several_signals_of_a_symbol_are_listed_and_nothing_found_says_what_there_is() -> None:
    with pytest.raises(NoStory, match=r"may be 2 signals; name one: .* ma_crossover BUY NIFTY 50"):
        find(STORIES.values(), "NIFTY")
    with pytest.raises(NoStory, match="'SBIN': nothing of 2026-06-10 has this id or symbol"):
        find(STORIES.values(), "SBIN")
    with pytest.raises(NoStory, match="no signal is here at all"):
        find([], str(uuid4()))


def test_a_trade_is_told_from_signal_to_result() -> None:
    story = told(TRADED)
    assert story.outcome == "closed"
    assert "bought at ₹100.00, sold at ₹70.00 (stop loss), net -₹2,300.00" in story.summary
    assert (story.why_not, story.what_to_change) == ("", "")
    assert "put-call parity over 7 strikes" in text_of(story, "Decision")
    assert "chosen" in text_of(story, "Candidates")
    assert "entry filled" in text_of(story, "Orders and fills")
    assert "stop loss | all | 100.00 | 70.00" in text_of(story, "Exits")
    assert "net -₹2,300.00" in text_of(story, "Result")
    assert "executor decided" in text_of(story, "Times per hop")
    assert len(story.events) == len(TRADED.events())


def exit_rows(events: list[Event]) -> list[tuple[str, ...]]:
    story = told(stories_of(events)[TRADED.signal_id])
    (section,) = (one for one in story.sections if one.title == "Exits")
    return [row[1:] for row in section.rows]


def test_a_sale_that_was_asked_for_is_one_exit_and_not_another_one_without_a_rule() -> None:
    assert exit_rows(EVENTS) == [("stop loss", "all", "100.00", "70.00")]


def test_where_requests_are_not_known_a_sale_has_the_rule_of_its_plan_and_the_positions_level() -> (
    None
):
    found = exit_rows([one for one in EVENTS if not isinstance(one, ExitRequested)])
    assert {(rule, level) for rule, _, _, level in found} == {("stop loss", "70.00")}


def test_a_stop_at_the_exchange_has_its_trigger_as_its_level() -> None:
    resting = [
        one.model_copy(update={"trigger_price": Decimal("71.25")})
        if isinstance(one, OrderPlanned) and one.leg == "exit"
        else one
        for one in EVENTS
        if not isinstance(one, ExitRequested)
    ]
    assert {row[-1] for row in exit_rows(resting)} == {"71.25"}


def test_a_refusal_is_told_with_what_to_change() -> None:
    story = told(REFUSED)
    assert story.outcome == "refused"
    said = text_of(story, "Why not")
    assert "low_confidence: the strategy's confidence was below entry.min_confidence." in said
    assert "Lower executor.entry.min_confidence" in story.what_to_change
    assert "from 0.6 to 0.1 or less" in story.what_to_change
    assert not [one for one in story.sections if one.title in ("Result", "Candidates")]


def test_a_story_of_later_events_alone_is_told_as_far_as_it_is_known() -> None:
    (alone,) = stories_of([one for one in refused() if isinstance(one, SignalRejected)]).values()
    assert "not here any more" in text_of(told(alone), "Signal")
    (held,) = stories_of([position(kind=PositionOpened)]).values()
    assert told(held).outcome == "open"


def test_the_hops_of_a_decision_are_told_with_their_times() -> None:
    executor = list_chain(make_executor())
    executor.ages = lambda _: {"exchange": 2_500, "candle": 400}
    effects = executor.on_event(signal(), NOW)
    events = [one for one in effects if isinstance(one, Event)]
    said = text_of(told(next(iter(stories_of([signal(), *events]).values()))), "Times per hop")
    assert "newest tick, the exchange's time | 10:29:57.500 | -2.500 s" in said
    assert "candle closed it | 10:29:59.600 | -0.400 s" in said


def test_the_candle_behind_a_signal_is_its_last_revision() -> None:
    story = Story(signal().signal_id, generated=signal())
    opened_ms = ms_from_utc(signal().candle_opened_at)
    batches = [batch_of(opened_ms, revision) for revision in (0, 1)]
    found = candle_of(story, [*batches, batch_of(opened_ms - 900_000, 2)])
    assert found is not None
    assert (found["revision"], found["close"]) == (1, 25_001.0)


def batch_of(opened_ms: int, revision: int) -> CandleBatch:
    values = {
        "exchange": "NSE",
        "tradingsymbol": "NIFTY 50",
        "expiry": None,
        "instrument_token": 256_265,
        "opened_ms": opened_ms,
        "closes_ms": opened_ms + 900_000,
        **dict.fromkeys(("open", "high", "low", "close"), 25_000.0 + revision),
        "volume": 0,
        "vwap": None,
        "ticks": 900,
        "oi": 0,
        "cumulative_volume": 0,
        "revision": revision,
    }
    return CandleBatch(
        **CandleBatch.without_cause(opened_ms, revision, occurred_at=AT, trading_day=DAY),
        partition=0,
        interval="15m",
        source="live",
        columns=CandleColumns.model_validate({name: (one,) for name, one in values.items()}),
    )
