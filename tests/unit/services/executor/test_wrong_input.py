"""Signals and quotes that are wrong: each is refused with its reason, and the service goes on."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from libs.broker.paper import PaperRules
from libs.events.codec import record_of
from libs.events.event import Event
from libs.events.signals import ExecutionDecided
from libs.events.topics import dead_letter_topic
from libs.runtime.testing import ServiceHarness
from services.executor.settings import ExecutorSettings
from tests.unit.services.executor.builders import (
    DAY,
    INDEX_TOKEN,
    NEXT_DAY,
    NOW,
    Row,
    at,
    chain_listed,
    chain_rows,
    index,
    listed,
    signal,
    ticks,
)
from tests.unit.services.executor.handling import paper_service

NAN = float("nan")


def decisions_on(*events: Event, **settings: Any) -> list[ExecutionDecided]:
    """Return the decisions of a service that hears these events, then a signal that is right."""

    async def story() -> list[ExecutionDecided]:
        made = ExecutorSettings(mode="paper", **settings)
        async with ServiceHarness(lambda parts: paper_service(made, parts)) as harness:
            await harness.publish(*events)
            assert not await harness.dead_letters("signal_generated")
            assert not await harness.messages(dead_letter_topic("ticks"))
            assert harness.measured("trading_halted") == 0
            found = await harness.published("decisions")
            return [one for one in found if isinstance(one, ExecutionDecided)]

    return asyncio.run(story())


def quotes(**changes: Any) -> list[Row]:
    """The index as it is, and options with other quotes."""
    return [
        row if row.instrument_token == INDEX_TOKEN else replace(row, **changes)
        for row in chain_rows()
    ]


def listing() -> Sequence[Event]:
    return chain_listed()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"underlying": "NOSUCH", "tradingsymbol": "NOSUCH"}, "no_chain"),
        ({"underlying": "", "tradingsymbol": ""}, "no_chain"),
        ({"price": -25_000.0}, "impossible_price"),
        ({"price": 0.0}, "impossible_price"),
        ({"stop_loss": -1.0}, "impossible_price"),
        ({"target": 0.0}, "impossible_price"),
        ({"confidence": -1.0}, "low_confidence"),
        ({"expected_move": -2.0}, "low_expected_move"),
    ],
)
def test_a_signal_that_is_wrong_is_refused_and_the_next_one_is_traded(
    changes: dict[str, Any], reason: str
) -> None:
    wrong, right = signal(1, **changes), signal(2)
    made = decisions_on(*listing(), ticks(chain_rows()), wrong, right)
    assert [(one.outcome, one.reason) for one in made] == [("refused", reason), ("executed", "")]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([Row(INDEX_TOKEN, 25_000.0)], "no_contract"),
        (quotes(bid_price=0.0, ask_price=0.0), "no_contract"),
        (quotes(bid_price=-5.0, ask_price=-4.0), "no_contract"),
        (quotes(bid_price=NAN, ask_price=NAN, last_price=NAN), "no_contract"),
        (quotes(bid_price=5.0, ask_price=4.0), "no_contract"),
        (quotes(volume=0), "no_contract"),
        (quotes(bid_price=0.04, ask_price=0.05, volume=5000), "no_contract"),
    ],
)
def test_quotes_that_are_none_are_refused_and_the_next_ones_are_traded_on(
    rows: list[Row], reason: str
) -> None:
    later = NOW + 1000
    right = signal(2, later)
    made = decisions_on(*listing(), ticks(rows), signal(1), ticks(chain_rows(later), later), right)
    assert [(one.outcome, one.reason) for one in made] == [("refused", reason), ("executed", "")]


@pytest.mark.parametrize("value", [NAN, float("inf"), -3.0, 0.0])
def test_an_index_without_a_price_is_bought_on_by_the_signals_own_price(value: float) -> None:
    rows = [Row(INDEX_TOKEN, value), *chain_rows()[1:]]
    (made,) = decisions_on(*listing(), ticks(rows), signal(1))
    assert (made.outcome, made.reason) == ("executed", "")
    assert made.premium > 0


def test_options_that_have_expired_are_no_chain_and_a_listing_of_another_day_none_either() -> None:
    later = at(10, 30, day=NEXT_DAY)
    expired = chain_listed(DAY, NEXT_DAY)
    (made,) = decisions_on(*expired, ticks(chain_rows()), signal(1, later))
    assert (made.outcome, made.reason) == ("refused", "no_chain")
    (made,) = decisions_on(*listing(), ticks(chain_rows()), signal(1, later))
    assert (made.outcome, made.reason) == ("refused", "not_listed_today")


def test_an_underlying_without_options_has_no_chain() -> None:
    alone = listed(index())
    (made,) = decisions_on(alone, ticks([Row(INDEX_TOKEN, 25_000.0)]), signal(1))
    assert (made.outcome, made.reason) == ("refused", "no_chain")


def test_an_account_without_money_buys_nothing() -> None:
    empty = PaperRules(capital=Decimal(1000))
    made = decisions_on(*listing(), ticks(chain_rows()), signal(1), paper=empty)
    assert [(one.outcome, one.reason) for one in made] == [("refused", "margin_short")]
    assert made[0].numbers["available"] == 1000.0


@pytest.mark.parametrize("capital", [0, -1, NAN, float("inf")])
def test_no_capital_is_refused_before_anything_starts(capital: float) -> None:
    with pytest.raises(ValidationError):
        ExecutorSettings(sizing={"capital": capital})


@pytest.mark.parametrize("field", ["price", "stop_loss", "target", "confidence", "expected_move"])
@pytest.mark.parametrize("value", ["NaN", "Infinity", "null"])
def test_a_signal_that_says_nan_is_set_aside_and_halts_entries(field: str, value: str) -> None:
    with pytest.raises(ValidationError):
        signal(1, **{field: NAN})  # type: ignore[arg-type]  # a name of one of its numbers

    async def story() -> None:
        made = ExecutorSettings(mode="paper")
        async with ServiceHarness(lambda parts: paper_service(made, parts)) as harness:
            await harness.publish(*listing(), ticks(chain_rows()))
            good = record_of(signal(1), "signal_generated", 1)
            said = json.loads(good.value)
            text = json.dumps(said | {field: "?"}).replace('"?"', value)
            await harness.bus.publish(replace(good, value=text.encode()))
            await harness.bus.idle()
            ((why, _),) = await harness.dead_letters("signal_generated")
            assert field in why
            await harness.publish(signal(2))
            assert harness.runner.health.is_ready
            found = await harness.published("decisions")
            assert [one.reason for one in found if isinstance(one, ExecutionDecided)] == [
                "kill_switch"
            ]

    asyncio.run(story())
