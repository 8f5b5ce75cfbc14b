"""Ids are functions of their inputs, and times are exact to the millisecond."""

import json
import subprocess
import sys
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta, timezone
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from libs.events.control import TradingHalted
from libs.events.event import NAMESPACE, Identities, identity, ms_from_utc, utc_from_ms
from libs.events.orders import OrderFilled
from libs.events.positions import ExitRequested
from libs.events.signals import SignalActivated, StrategySignal
from tests.unit.libs.events.samples import event_classes, sample
from tests.unit.libs.events.strategies import MILLISECONDS

PARTS = st.lists(st.text() | st.integers() | st.dates() | st.none(), max_size=5)


@pytest.mark.parametrize(
    ("parts", "id_"),
    [
        ((), "5057347d-afdb-51a3-8044-06813e74f9f1"),
        (
            ("NSE", "NIFTY 50", None, "1m", 1_781_063_100_000, "live", 0),
            "30fe5631-6804-54e2-92aa-a319c2c9fa5e",
        ),
        (("M&M — ₹", date(2026, 6, 10)), "333a2978-ab1c-5286-aac7-b8d16f5e420f"),
    ],
)
def test_an_id_never_changes(parts: tuple[object, ...], id_: str) -> None:
    assert identity("Candle", *parts) == UUID(id_)


def test_an_id_is_the_same_in_another_process() -> None:
    program = "import sys, libs.events.event as e; sys.stdout.write(str(e.identity('a', 1)))"
    words = [sys.executable, "-c", program]
    other = subprocess.run(words, capture_output=True, text=True, check=True)
    assert other.stdout == str(identity("a", 1))


@given(st.text(), PARTS)
def test_an_id_is_a_uuid_of_version_5_and_repeats(kind: str, parts: list[object]) -> None:
    assert identity(kind, *parts) == identity(kind, *parts)
    assert identity(kind, *parts).version == 5
    assert identity(kind, *parts) != NAMESPACE


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_other_parts_give_another_id(some: list[str], others: list[str]) -> None:
    assert (identity("k", *some) == identity("k", *others)) == (some == others)


def test_where_a_part_ends_matters() -> None:
    ids = {identity("k", "a", "bc"), identity("k", "ab", "c"), identity("k", "abc"), identity("ka")}
    assert len(ids) == 4
    assert identity("k", 'a", "b') != identity("k", "a", "b")


@given(MILLISECONDS)
def test_milliseconds_survive_as_a_time(epoch_ms: int) -> None:
    at = utc_from_ms(epoch_ms)
    assert at.tzinfo is UTC
    assert ms_from_utc(at) == epoch_ms


@given(st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001  the zone is given beside
def test_what_is_below_a_millisecond_is_cut(at: datetime) -> None:
    cut = at.replace(microsecond=at.microsecond // 1000 * 1000)
    assert utc_from_ms(ms_from_utc(at)) == cut


def test_the_zone_of_a_time_does_not_matter() -> None:
    at = datetime(2026, 6, 10, 9, 15, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert ms_from_utc(at) == 1_781_063_100_000
    assert utc_from_ms(1_781_063_100_000) == at


@pytest.mark.parametrize("event", event_classes(), ids=lambda event: event.__name__)
def test_an_event_cannot_be_changed(event: type) -> None:
    one = sample(event)
    with pytest.raises(ValidationError, match="frozen"):
        one.event_id = one.correlation_id  # type: ignore[misc]


def test_a_time_without_a_zone_is_refused() -> None:
    fields = sample(StrategySignal).model_dump() | {"occurred_at": datetime(2026, 6, 10)}  # noqa: DTZ001  naive is the point
    with pytest.raises(ValidationError, match="timezone"):
        StrategySignal.model_validate(fields)


def test_event_time_in_milliseconds_is_that_of_the_record() -> None:
    one = sample(StrategySignal)
    assert one.occurred_ms == ms_from_utc(one.occurred_at)


def test_what_an_event_leads_to_takes_over_its_time_day_and_correlation() -> None:
    cause = sample(OrderFilled)
    assert ExitRequested.after(cause, 1, "stop_loss") == {
        "event_id": identity("ExitRequested", 1, "stop_loss"),
        "occurred_at": cause.occurred_at,
        "trading_day": cause.trading_day,
        "correlation_id": cause.correlation_id,
        "causation_id": cause.event_id,
    }


def test_time_day_and_correlation_of_what_follows_can_be_given() -> None:
    cause, at = sample(OrderFilled), datetime(2026, 6, 11, 3, 45, tzinfo=UTC)
    given_all = ExitRequested.after(
        cause, 1, occurred_at=at, trading_day=at.date(), correlation_id=NAMESPACE
    )
    assert (given_all["occurred_at"], given_all["trading_day"]) == (at, at.date())
    assert (given_all["correlation_id"], given_all["causation_id"]) == (NAMESPACE, cause.event_id)


def test_an_event_without_a_cause_begins_a_correlation() -> None:
    at = datetime(2026, 6, 11, 3, 45, tzinfo=UTC)
    halted = TradingHalted(
        **TradingHalted.without_cause("a", 1, occurred_at=at, trading_day=at.date()), reason="news"
    )
    assert halted.event_id == halted.correlation_id == identity("TradingHalted", "a", 1)
    assert halted.causation_id is None


def test_a_signal_has_one_update_of_a_kind_whatever_caused_it() -> None:
    fill, at = sample(OrderFilled), datetime(2026, 6, 11, 3, 45, tzinfo=UTC)
    assert isinstance(fill, OrderFilled)
    other = sample(ExitRequested)
    updates = [
        SignalActivated.of(fill, at, at.date(), "position_opened", cause=cause)
        for cause in (None, other)
    ]
    assert {one.event_id for one in updates} == {identity("SignalActivated", fill.signal_id)}
    assert [one.causation_id for one in updates] == [fill.event_id, other.event_id]
    assert {one.correlation_id for one in updates} == {fill.correlation_id}
    assert (updates[0].type, updates[0].numbers) == ("SignalActivated", {})


@given(st.text(), st.lists(st.text() | st.integers() | st.none() | st.dates(), max_size=5))
def test_an_id_is_the_uuid5_of_its_parts_as_json(kind: str, parts: list[object]) -> None:
    text = json.dumps([kind, *(str(part) for part in parts)])
    assert identity(kind, *parts) == uuid5(NAMESPACE, text)
    begun = Identities(kind, *parts[:2])
    assert begun.of(*parts[2:]) == uuid5(NAMESPACE, text)
    assert deepcopy(begun).of(*parts[2:]) == uuid5(NAMESPACE, text)
