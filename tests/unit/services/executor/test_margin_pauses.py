"""An entry that the broker rejects for margin: no blind repeat, and a pause in its underlying."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from libs.events.control import RiskLimitReached
from libs.events.orders import OrderRejected
from libs.events.signals import ExecutionDecided
from services.executor.domain.margin_pauses import MarginPauses, is_for_margin
from services.executor.domain.order import Order
from services.executor.domain.policy import EntryFilter, Policy, RiskLimits, Sizing
from tests.unit.services.executor.builders import (
    NOW,
    chain_listed,
    list_chain,
    make_executor,
    plan,
    signal,
    update,
)
from tests.unit.services.executor.handling import Harness, ready

MINUTE_MS = 60_000
KITE = "Insufficient funds. Required margin is 95417.84 but available margin is 74251.80."
RMS = "RMS:Margin Exceeds,Required:12,5000.50, Available:10,000.00 for entity account"


@pytest.mark.parametrize(
    ("reason", "is_meant"),
    [
        (KITE, True),
        (RMS, True),
        ("Margin shortfall in your account", True),
        ("Add funds to trade", True),
        ("Price out of the circuit limits", False),
        ("The order was not sent: halted", False),
        ("", False),
    ],
)
def test_a_rejection_for_margin_is_known_by_the_brokers_words(reason: str, is_meant: bool) -> None:
    assert is_for_margin(reason) == is_meant


def rejected(reason: str = KITE, **of: Any) -> OrderRejected:
    return Order(plan(**of)).rejected(reason, NOW)


@pytest.mark.parametrize(
    ("reason", "figures"),
    [
        (KITE, (95417.84, 74251.80)),
        (RMS, (125000.50, 10000.00)),
        ("Margin shortfall", (15150.0, 0.0)),
    ],
)
def test_the_event_has_what_was_needed_and_what_was_there(
    reason: str, figures: tuple[float, float]
) -> None:
    pauses, event = MarginPauses(15 * MINUTE_MS), rejected(reason)
    assert pauses.note(event)
    said = pauses.said(event, plan())
    assert (said.limit, said.value, said.maximum) == ("margin_rejected", *figures)
    assert reason in said.reason
    assert said.reason.endswith("nothing is bought in NIFTY until 10:45")


def test_a_pause_begins_with_the_rejection_and_ends_by_its_time() -> None:
    pauses = MarginPauses(15 * MINUTE_MS)
    assert not pauses.note(rejected("odd lot"))
    assert not pauses.note(rejected(leg="exit"))
    assert pauses.refusal("NIFTY", NOW) is None
    assert pauses.note(rejected())
    assert not pauses.note(rejected()), "a repeat is no news"
    end = NOW + 15 * MINUTE_MS
    assert pauses.is_on("NIFTY", end - 1)
    assert not pauses.is_on("NIFTY", end)
    assert not pauses.is_on("BANKNIFTY", NOW)
    assert (pauses.count(end - 1), pauses.count(end)) == (1, 0)


def short_of_margin() -> Harness:
    limits = RiskLimits(positions=9, positions_per_underlying=9)
    harness = ready(Policy(limits=limits, entry=EntryFilter(margin_pause_ms=2 * MINUTE_MS)))
    harness.broker.refuses = True
    harness.hear(signal())
    return harness


def decisions(harness: Harness) -> list[tuple[str, str]]:
    made = [one for one in harness.events if isinstance(one, ExecutionDecided)]
    return [(one.outcome, one.reason) for one in made]


def test_after_a_rejection_for_margin_nothing_is_sent_for_a_while_and_it_is_said_once() -> None:
    harness = short_of_margin()
    reached = [one for one in harness.events if isinstance(one, RiskLimitReached)]
    assert [one.limit for one in reached] == ["margin_rejected"]
    harness.tick(MINUTE_MS)
    harness.hear(signal(2, NOW + MINUTE_MS))
    assert decisions(harness)[-1] == ("refused", "margin_pause")
    assert harness.log.count("place BUY") == 1
    harness.broker.refuses = False
    harness.tick(2 * MINUTE_MS)
    harness.hear(signal(3, NOW + 2 * MINUTE_MS))
    assert decisions(harness)[-1] == ("executed", "")
    assert harness.log.count("place BUY") == 2


def test_the_decision_keeps_its_candidates_and_names_the_end_of_the_pause() -> None:
    harness = short_of_margin()
    harness.hear(signal(2))
    made = [one for one in harness.events if isinstance(one, ExecutionDecided)][-1]
    assert made.candidates
    assert made.numbers == {"underlying": "NIFTY", "until": "10:32:00"}


def test_a_rejection_that_comes_as_an_update_pauses_too() -> None:
    executor = list_chain(make_executor())
    executor.on_event(signal(), NOW)
    (order,) = executor.blotter.working()
    told = replace(update(order, "REJECTED"), reason=KITE)
    effects = executor.on_updates([told], NOW)
    assert [one.limit for one in effects if isinstance(one, RiskLimitReached)] == [
        "margin_rejected"
    ]
    assert executor.margin_pauses.is_on("NIFTY", NOW)


def test_a_pause_goes_on_after_a_restart() -> None:
    harness = short_of_margin()
    executor = make_executor()
    for event in (*chain_listed(), *harness.events):
        executor.restore(event)
    assert executor.margin_pauses.is_on("NIFTY", NOW + MINUTE_MS)
    assert not executor.margin_pauses.is_on("NIFTY", NOW + 15 * MINUTE_MS)


def test_the_other_slices_of_a_rejected_entry_are_not_sent() -> None:
    sizing = Sizing(capital=Decimal(100_000_000))
    harness = ready(Policy(sizing=sizing, limits=RiskLimits(lots_a_trade=30)), in_turn=True)
    harness.broker.refuses = True
    harness.hear(signal())
    assert len(harness.plans) == 2
    told = [one.reason for one in harness.events if isinstance(one, OrderRejected)]
    assert [is_for_margin(reason) for reason in told] == [True, False]
