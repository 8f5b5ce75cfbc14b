"""What an arming lets go, how long, and how it ends."""

from datetime import time
from typing import Any
from uuid import UUID, uuid4

import pytest

from libs.events.control import Armed, ControlUsed, Disarmed
from libs.events.event import identity, utc_from_ms
from libs.market.calendar import load_calendar
from services.executor.domain.live.arming import REAL_SENTENCE, SIMULATOR_SENTENCE, Arming
from services.executor.domain.live.asking import Asked, Readiness, armed, arming_refusal
from services.executor.domain.policy import Policy
from tests.unit.services.executor.builders import DAY, NOW, at

CALENDAR = load_calendar()
READY = Readiness("live", CALENDAR)


def use(now_ms: int = NOW, nonce: str = "1") -> ControlUsed:
    envelope = ControlUsed.without_cause(
        "arm", nonce, occurred_at=utc_from_ms(now_ms), trading_day=DAY
    )
    return ControlUsed(**envelope, action="arm", token="asha", outcome="done")


def given(arming: Arming, now_ms: int = NOW, nonce: str = "1", **asked: Any) -> Armed:
    event = armed(Asked(asked.pop("until", time(15, 0)), **asked), use(now_ms, nonce), arming)
    arming.on_event(event)
    return event


def causes(events: tuple[Disarmed, ...]) -> list[str]:
    return [event.cause for event in events]


def test_without_an_arming_nothing_is_armed_and_it_says_so() -> None:
    arming = Arming()
    assert arming.current(NOW) is None
    assert not arming.may_send(NOW)
    assert arming.why_not(NOW) == "nobody has armed it"
    assert arming.due(NOW) == ()


def test_an_arming_holds_until_its_time_and_its_end_is_said_once() -> None:
    arming = Arming()
    event = given(arming)
    assert arming.current(at(14, 59, 59)) == event
    assert arming.current(at(15, 0)) is None
    assert not arming.may_send(at(15, 0))
    assert causes(arming.due(at(15, 0))) == ["time"]
    assert arming.due(at(15, 1)) == ()


def test_an_arming_is_for_its_own_day_alone() -> None:
    arming = Arming()
    event = given(arming)
    lasting = event.model_copy(update={"until": utc_from_ms(NOW + 10 * 86_400_000)})
    arming = Arming()
    arming.on_event(lasting)
    assert arming.current(NOW) == lasting
    assert arming.current(NOW + 86_400_000) is None


def test_the_last_trade_ends_it_and_may_still_be_sent() -> None:
    arming = Arming()
    given(arming, trades=2)
    arming.enter(uuid4(), NOW - 1)  # before it
    arming.enter(first := uuid4(), NOW)
    arming.enter(first, NOW)  # its second slice
    assert arming.trades_left(NOW) == 1
    arming.enter(uuid4(), NOW + 5)
    assert arming.current(NOW + 5) is None
    assert causes(arming.due(NOW + 5)) == ["trades"]
    assert arming.may_send(NOW + 5)
    assert not arming.may_send(at(15, 0))
    assert arming.why_not(at(15, 0)).startswith("it has opened")


@pytest.mark.parametrize("cause", ["asked", "quarantine", "mode"])
def test_after_its_last_trade_it_can_still_be_ended_so_that_the_trade_stops(cause: Any) -> None:
    arming = Arming()
    given(arming, trades=1)
    arming.enter(uuid4(), NOW)
    (by_trades,) = arming.due(NOW)
    (by_person,) = arming.end(cause, NOW + 1, "asha")
    assert (by_person.cause, by_person.event_id == by_trades.event_id) == (cause, False)
    arming.on_event(by_trades)  # as it comes back from the topic
    assert not arming.may_send(NOW + 1)
    assert arming.end(cause, NOW + 2) == ()


def test_after_its_last_trade_and_its_time_nothing_is_said_any_more() -> None:
    arming = Arming()
    given(arming, trades=1)
    arming.enter(uuid4(), NOW)
    arming.due(NOW)
    assert arming.due(at(15, 0)) == ()
    assert arming.end("mode", at(15, 0)) == ()


def test_an_end_that_was_said_is_not_undone_when_the_arming_is_read_again() -> None:
    arming = Arming()
    event = given(arming)
    (ended,) = arming.end("asked", NOW, "asha")
    again = Arming()
    for one in (event, ended, event):
        again.on_event(one)
    assert again.current(NOW) is None
    assert again.why_not(NOW) == "it was disarmed"


def test_a_later_arming_is_not_ended_by_the_end_of_an_earlier_one() -> None:
    arming = Arming()
    given(arming)
    (ended,) = arming.end("asked", NOW)
    later = given(arming, NOW + 1000, "2")
    arming.on_event(ended)
    assert arming.current(NOW + 1000) == later


def test_another_process_does_not_inherit_it() -> None:
    event = given(Arming(holder="host-a"))
    successor = Arming(holder="host-b")
    successor.on_event(event)
    assert successor.current(NOW) is None
    assert causes(successor.due(NOW)) == ["other_executor"]
    restarted = Arming(holder="host-a")
    restarted.on_event(event)
    assert restarted.current(NOW) == event


def test_one_for_a_simulator_is_none_for_a_real_account_nor_does_its_sentence_count() -> None:
    arming = Arming(is_real=True)
    arming.on_event(given(Arming()))
    assert arming.current(NOW) is None
    assert arming.sentence == REAL_SENTENCE
    given(arming, NOW + 1, "2")
    assert arming.sentence is None


def test_its_lots_narrow_the_settings_and_never_widen_them() -> None:
    arming = Arming()
    policy = Policy()
    assert arming.narrowed(policy, NOW) is policy
    given(arming, lots_a_trade=2)
    assert arming.narrowed(policy, NOW).limits.lots_a_trade == 2
    given(arming, NOW + 1, "2", lots_a_trade=50)
    assert arming.narrowed(policy, NOW + 1).limits.lots_a_trade == policy.limits.lots_a_trade
    assert arming.narrowed(policy, at(15, 0)) is policy


@pytest.mark.parametrize(
    ("asked", "ready", "said"),
    [
        (Asked(time(15, 0)), Readiness("paper", CALENDAR), "the mode is paper"),
        (Asked(time(10, 30)), READY, "is over: it is 10:30 in India"),
        (Asked(time(23, 45)), READY, "after the last close of today"),
        (Asked(time(15, 0)), Readiness("live", CALENDAR, ["log in"]), "log in"),
        (Asked(time(15, 0)), READY, f"has to be typed: {SIMULATOR_SENTENCE}"),
        (Asked(time(15, 0), sentence="yes"), READY, "has to be typed"),
    ],
)
def test_what_speaks_against_an_arming_is_said(asked: Asked, ready: Readiness, said: str) -> None:
    assert said in arming_refusal(asked, ready, Arming(), NOW)


def test_an_arming_that_would_not_count_is_refused() -> None:
    arming = Arming()
    given(arming, NOW + 60_000)
    said = arming_refusal(Asked(time(15, 0)), READY, arming, NOW)
    assert said.startswith("the clock is behind the latest arming")
    assert arming_refusal(Asked(time(15, 0)), READY, arming, NOW + 60_000) == ""


def test_the_sentence_is_typed_once() -> None:
    arming = Arming()
    asked = Asked(time(15, 0), sentence=f" {SIMULATOR_SENTENCE} ")
    assert arming_refusal(asked, READY, arming, NOW) == ""
    given(arming)
    assert arming_refusal(Asked(time(15, 0)), READY, arming, NOW) == ""


def test_on_a_closed_day_nothing_is_armed() -> None:
    sunday = NOW + 4 * 86_400_000
    assert "no exchange trades" in arming_refusal(Asked(time(15, 0)), READY, Arming(), sunday)


def test_an_end_is_told_before_it_is_made() -> None:
    arming = Arming()
    event = given(arming)
    first, again = arming.ending("asked", NOW), arming.ending("asked", NOW)
    assert first == again
    assert first[0].armed_id == event.event_id != UUID(int=0)
    assert first[0].event_id == identity("Disarmed", event.event_id)
    assert arming.current(NOW) == event
