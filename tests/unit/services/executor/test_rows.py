import json
import re
from collections.abc import Callable
from decimal import Decimal
from math import isnan
from pathlib import Path
from typing import Any

import pytest

from libs.events.event import Event
from libs.events.instruments import ChainSnapshot
from libs.events.orders import OrderEvent, OrderFilled
from libs.events.signals import ExecutionDecided
from services.executor.domain import rows
from tests.unit.services.executor.builders import (
    LOT,
    NOW,
    chain_listed,
    chain_rows,
    exit_requested,
    list_chain,
    make_executor,
    position,
    signal,
    ticks,
)
from tests.unit.services.executor.venue import Trading

MIGRATIONS = Path("services/executor/migrations")
REPOSITORY = Path(__file__).parents[4]


def columns_of(table: str) -> set[str]:
    """Names of a table's columns as its migrations declare them, but for the inserting time."""
    files = sorted((REPOSITORY / MIGRATIONS).glob("*.sql"))
    text = "\n".join(file.read_text() for file in files)
    declared = re.search(rf"CREATE TABLE IF NOT EXISTS {table} \((.*?)\n\)", text, re.DOTALL)
    assert declared is not None
    names = re.findall(r"^    (\w+) ", declared.group(1), re.MULTILINE)
    altered = re.search(rf"ALTER TABLE {table}\n(.*?);", text, re.DOTALL)
    if altered is not None:
        names += re.findall(r"ADD COLUMN IF NOT EXISTS (\w+) ", altered.group(1))
    return set(names) - {"inserted_at"}


def written() -> list[Event]:
    """An event of every type that the executor writes."""
    trading = Trading(list_chain(make_executor()))
    trading.hear(signal())
    (entry,) = trading.plans("entry")
    trading.fill(entry.tag, LOT)
    trading.confirm_cancel(entry.tag)
    trading.refuse_next = 1
    trading.hear(exit_requested(entry.position_id))
    trading.hear(signal(2, confidence=0.1))
    order = trading.executor.blotter.of_position(entry.position_id)[0]
    trading.events.append(order.unresolved("timeout", NOW))
    return trading.events


EVENTS = written()


def snapshot() -> ChainSnapshot:
    executor = make_executor()
    for event in chain_listed():
        list(executor.on_event(event, NOW))
    made = list(executor.on_event(ticks(chain_rows()), NOW))
    (chain,) = [one for one in made if isinstance(one, ChainSnapshot)]
    return chain


@pytest.mark.parametrize(
    ("table", "to_rows", "kind"),
    [
        ("decisions", rows.decisions, ExecutionDecided),
        ("orders", rows.orders, OrderEvent),
        ("options_data", rows.options_data, ChainSnapshot),
    ],
)
def test_every_event_of_a_table_gives_exactly_its_columns_of_one_length(
    table: str, to_rows: Callable[[Event], dict[str, Any]], kind: type[Event]
) -> None:
    of_table = [event for event in (*EVENTS, snapshot()) if isinstance(event, kind)]
    assert of_table
    for event in of_table:
        columns = to_rows(event)
        assert set(columns) == columns_of(table), event.type
        assert len({len(values) for values in columns.values()}) == 1
        assert len(columns["event_id"]) >= 1


def test_every_type_of_order_event_was_looked_at() -> None:
    types = {event.type for event in EVENTS if isinstance(event, OrderEvent)}
    assert types == {
        "OrderPlanned",
        "OrderPlaced",
        "OrderFilled",
        "OrderCancelled",
        "OrderRejected",
        "OrderUnresolved",
    }


@pytest.mark.parametrize("to_rows", [rows.decisions, rows.orders, rows.options_data])
def test_an_event_of_another_table_gives_no_rows(
    to_rows: Callable[[Event], dict[str, Any]],
) -> None:
    assert to_rows(position()) == {}


def test_a_fill_has_its_own_quantity_and_price_and_a_plan_those_that_were_planned() -> None:
    of_fill = next(one for one in EVENTS if isinstance(one, OrderFilled))
    row = {name: values[0] for name, values in rows.orders(of_fill).items()}
    assert (row["quantity"], row["price"]) == (LOT, Decimal("100.00"))
    assert (row["filled_quantity"], row["average_price"]) == (LOT, Decimal(100))
    assert row["fill_id"] == of_fill.fill_id
    plan = next(one for one in EVENTS if one.type == "OrderPlanned")
    planned = {name: values[0] for name, values in rows.orders(plan).items()}
    assert (planned["filled_quantity"], planned["fill_id"]) == (0, "")
    assert planned["price"] > 100


def test_a_decision_keeps_its_numbers_and_candidates_as_json() -> None:
    executed = next(one for one in EVENTS if isinstance(one, ExecutionDecided))
    row = rows.decisions(executed)
    assert json.loads(row["numbers"][0]) == executed.numbers
    assert len(json.loads(row["candidates"][0])) == 7


def test_a_greek_without_a_solution_is_nan() -> None:
    chain = snapshot().model_copy(update={"delta": (None, *snapshot().delta[1:])})
    assert isnan(rows.options_data(chain)["delta"][0])
