"""Signals whose lives go on over night, and a restart at any time, which changes nothing."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from libs.events import signals
from libs.events.event import Event, identity, utc_from_ms
from libs.events.orders import OrderEvent
from libs.events.topics import TOPIC_OF, TOPICS
from services.signal.domain.lives import Lives
from services.signal.domain.rules.settings import SignalFilters, SignalRules
from services.signal.domain.signal_book import SignalBook
from tests.proofs import examples
from tests.unit.services.position.builders import fill
from tests.unit.services.signal.test_passing import AT, DAY, book, outcome, signal

DAY_MS = 86_400_000
MINUTE_MS = 60_000
UPDATES = (
    signals.SignalLogged,
    signals.SignalRejected,
    signals.SignalActivated,
    signals.SignalCompleted,
    signals.SignalStopped,
    signals.SignalExpired,
)


def update(
    kind: type[signals.SignalUpdate], of: signals.SignalOrigin, at_ms: int, day: date = DAY
) -> signals.SignalUpdate:
    return kind.of(of, utc_from_ms(at_ms), day, "test")


def passed(one: SignalBook, what: signals.StrategySignal) -> signals.SignalGenerated:
    """Return what a book makes of a signal, and let it hear of it."""
    generated, validated = one.on_event(what, what.occurred_ms)
    one.on_event(validated, what.occurred_ms)
    assert isinstance(generated, signals.SignalGenerated)
    return generated


def tomorrow(number: int = 1, symbol: str = "INFY") -> signals.StrategySignal:
    return signal(
        symbol=symbol, at_ms=AT + number * DAY_MS, day=DAY + timedelta(days=number), price=50.0
    )


def test_a_signal_that_is_activated_goes_on_the_next_day() -> None:
    one = book()
    held = passed(one, signal())
    one.on_event(update(signals.SignalActivated, held, AT + 1000), AT)
    for number in range(1, 5):
        passed(one, tomorrow(number))
    assert one.state_of(held.signal_id) == "ACTIVATED"
    one.on_event(update(signals.SignalStopped, held, AT + 4 * DAY_MS), AT)
    assert one.state_of(held.signal_id) == "STOPPED"
    assert one.refused_transitions == 0


def test_a_held_signal_is_no_duplicate_of_the_next_session() -> None:
    one = book()
    held = passed(one, signal())
    one.on_event(update(signals.SignalActivated, held, AT + 1000), AT)
    assert outcome(one, tomorrow(symbol="SBIN")) == ["SignalGenerated", "SignalValidated"]


def test_what_has_ended_is_forgotten_after_the_day_that_follows() -> None:
    one = book()
    ended = passed(one, signal())
    one.on_event(update(signals.SignalLogged, ended, AT + 1000), AT)
    passed(one, tomorrow(1))
    assert one.state_of(ended.signal_id) == "LOGGED"
    passed(one, tomorrow(2))
    assert one.state_of(ended.signal_id) is None


def test_what_ends_after_nights_is_known_until_the_day_that_follows_its_end() -> None:
    one = book()
    held = passed(one, signal())
    one.on_event(update(signals.SignalActivated, held, AT + 1000), AT)
    for number in (1, 2):
        passed(one, tomorrow(number))
    one.on_event(update(signals.SignalCompleted, held, AT + 2 * DAY_MS), AT)
    passed(one, tomorrow(3))
    assert one.state_of(held.signal_id) == "COMPLETED"
    passed(one, tomorrow(4))
    assert one.state_of(held.signal_id) is None


def test_memory_is_bounded_by_the_ended_signals_that_are_kept() -> None:
    one = SignalBook(book().rules, Lives(kept=3))
    held = passed(one, signal(symbol="HELD"))
    one.on_event(update(signals.SignalActivated, held, AT), AT)
    for number in range(10):
        ended = passed(one, signal(symbol=f"S{number}"))
        one.on_event(update(signals.SignalLogged, ended, AT), AT)
    assert [life.tradingsymbol for life in one.lives.all()] == ["HELD", "S7", "S8", "S9"]
    assert not one.lives.is_whole


def test_a_signal_of_the_day_before_that_is_delivered_again_gives_nothing() -> None:
    one = book()
    passed(one, signal())
    passed(one, tomorrow())
    assert outcome(one, signal(), AT + DAY_MS) == []


def test_an_update_that_overtakes_the_validation_counts_once_that_is_there() -> None:
    one = book()
    generated, validated = one.on_event(signal(), AT)
    assert isinstance(generated, signals.SignalGenerated)
    one.on_event(update(signals.SignalActivated, generated, AT), AT)
    assert one.state_of(generated.signal_id) == "NEW"
    one.on_event(validated, AT)
    assert one.state_of(generated.signal_id) == "ACTIVATED"


def test_an_update_that_is_delivered_again_after_a_restart_is_no_refused_transition() -> None:
    first = book()
    held = passed(first, signal())
    updates = [
        signals.SignalValidated.of(held, held.occurred_at, DAY),
        update(signals.SignalActivated, held, AT + 1000),
        update(signals.SignalStopped, held, AT + 2000),
    ]
    second = restored([held, *updates], Random(0))
    for one in updates:
        second.on_event(one, AT)
    assert second.state_of(held.signal_id) == "STOPPED"
    assert second.refused_transitions == 0


# A restart at any time changes nothing


class Story:
    """A book, everything that was published, and what the book has answered."""

    def __init__(self, filters: SignalFilters) -> None:
        self.filters = filters
        self.books = [SignalBook.of(SignalRules(), filters)]
        self.published: list[Event] = []
        self.said: list[signals.StrategySignal] = []
        self.generated: list[signals.SignalGenerated] = []
        self.now_ms, self.day = AT, DAY

    def play(self, step: Any) -> None:
        kind, *parts = step
        self.now_ms += MINUTE_MS
        getattr(self, kind)(*parts)

    def say(self, symbol: str, action: str, price: float) -> None:
        self.said.append(
            signal(action, price, symbol=symbol, at_ms=self.now_ms, day=self.day, strategy="s")
        )
        self._signal(self.said[-1])

    def repeat(self, which: int) -> None:
        if self.said:
            self._signal(self.said[which % len(self.said)])

    def change(self, which: int, kind: type[signals.SignalUpdate], of_today: bool) -> None:
        if self.generated:
            one = self.generated[which % len(self.generated)]
            self._hear(update(kind, one, self.now_ms, self.day if of_today else one.trading_day))

    def order(self, which: int) -> None:
        if self.generated:
            one = self.generated[which % len(self.generated)]
            self._hear(fill(signal_id=one.signal_id, at_ms=self.now_ms))

    def wait(self, minutes: int) -> None:
        self.now_ms += minutes * MINUTE_MS
        made = [one.expire(self.now_ms) for one in self.books]
        self._publish(*_equal(made))

    def night(self, days: int) -> None:
        self.day += timedelta(days=days)
        self.now_ms += days * DAY_MS

    def restart(self, seed: int) -> None:
        self.books.append(restored(self.published, Random(seed), self.filters))

    def _signal(self, one: signals.StrategySignal) -> None:
        self._publish(*_equal([book.on_event(one, self.now_ms) for book in self.books]))

    def _hear(self, event: Event) -> None:
        self.published.append(event)
        for one in self.books:
            assert one.on_event(event, self.now_ms) == ()

    def _publish(self, *events: Event) -> None:
        for event in events:
            if isinstance(event, signals.SignalGenerated):
                self.generated.append(event)
                self.published.append(event)
            else:
                self._hear(event)


def restored(
    published: Sequence[Event], chance: Random, filters: SignalFilters | None = None
) -> SignalBook:
    """Return a book that reads topic after topic, the partitions of each in any order."""
    one = SignalBook.of(SignalRules(), filters)
    for topic in ("signal_generated", "signal_updates", "orders"):
        partitions: defaultdict[int, list[Event]] = defaultdict(list)
        for event in published:
            if TOPIC_OF[event.type] == topic:
                partitions[TOPICS[topic].partition_for(event, 4)].append(event)
        for number in chance.sample(sorted(partitions), len(partitions)):
            for event in partitions[number]:
                one.restore(event)
    assert one.restored() == ()
    return one


def _equal(answers: Sequence[tuple[Event, ...]]) -> tuple[Event, ...]:
    assert all(one == answers[0] for one in answers)
    return answers[0]


def shown(one: SignalBook) -> dict[str, Any]:
    """Return everything that a book knows."""
    later = AT + 1000 * DAY_MS
    lives = {life.signal_id: life for life in one.lives.all()}
    return {
        "lives": lives,
        "sessions": one.sessions,
        "left": {end.event_id for end in one.lives.expire(later)},
    }


indices = st.integers(0, 9)
steps = st.one_of(
    st.tuples(
        st.just("say"),
        st.sampled_from(["SBIN", "INFY", "ITC", "TEST_1"]),
        st.sampled_from(["BUY", "SELL"]),
        st.sampled_from([100.0, 101.0, 103.0]),
    ),
    st.tuples(st.just("repeat"), indices),
    st.tuples(st.just("change"), indices, st.sampled_from(UPDATES), st.booleans()),
    st.tuples(st.just("order"), indices),
    st.tuples(st.just("wait"), st.sampled_from([1, 20, 40])),
    st.tuples(st.just("night"), st.integers(1, 3)),
    st.tuples(st.just("restart"), indices),
)


@examples(150)
@given(st.lists(steps, max_size=40), st.sampled_from([None, 2]))
def test_a_restart_at_any_time_gives_the_state_of_no_restart(
    played: list[Any], signals_a_day: int | None
) -> None:
    story = Story(SignalFilters(signals_a_day=signals_a_day))
    for step in played:
        story.play(step)
    story.restart(1)
    never, *restarted = map(shown, story.books)
    for one in restarted:
        assert one == never


def test_an_unknown_order_changes_nothing() -> None:
    one = book()
    order: OrderEvent = fill(signal_id=identity("nobody's signal"))
    assert one.on_event(order, AT) == ()
    assert one.lives.all() == ()
