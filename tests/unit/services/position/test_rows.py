import re
from collections.abc import Callable
from math import isnan
from pathlib import Path
from typing import Any

import pytest

from libs.events.event import Event
from libs.events.positions import PerformanceMeasured, PositionEvent
from services.position.domain import rows
from tests.unit.services.position.builders import (
    NOW,
    exit_requested,
    fill,
    hear,
    make_positions,
    ticks,
)

MIGRATIONS = Path("services/position/migrations")
REPOSITORY = Path(__file__).parents[4]


def columns_of(table: str) -> set[str]:
    """Names of a table's columns as its migrations declare them, but for the inserting time."""
    files = sorted((REPOSITORY / MIGRATIONS).glob("*.sql"))
    text = "\n".join(one.read_text() for one in files)
    declared = re.search(rf"CREATE TABLE IF NOT EXISTS {table} \((.*?)\n\)", text, re.DOTALL)
    assert declared is not None
    names = re.findall(r"^    (\w+) ", declared.group(1), re.MULTILINE)
    for added in re.findall(rf"ALTER TABLE {table}\n(.*?);", text, re.DOTALL):
        names += re.findall(r"ADD COLUMN IF NOT EXISTS (\w+)", added)
    return set(names) - {"inserted_at"}


def written(exit_price: str = "150") -> list[Event]:
    sale = fill("SELL", price=exit_price, at_ms=NOW + 61_000)
    return hear(make_positions(), fill(), ticks(130.0, NOW + 60_000), sale)


@pytest.mark.parametrize(
    ("table", "to_rows", "kind", "count"),
    [
        ("positions", rows.positions, PositionEvent, 3),
        ("performance_metrics", rows.performance_metrics, PerformanceMeasured, 1),
    ],
)
def test_every_event_of_a_table_gives_exactly_its_columns_in_one_row(
    table: str, to_rows: Callable[[Event], dict[str, Any]], kind: type[Event], count: int
) -> None:
    of_table = [event for event in written() if isinstance(event, kind)]
    assert len({event.type for event in of_table}) == count
    for event in of_table:
        columns = to_rows(event)
        assert set(columns) == columns_of(table)
        assert {len(values) for values in columns.values()} == {1}


@pytest.mark.parametrize("to_rows", [rows.positions, rows.performance_metrics])
def test_an_event_of_another_table_gives_no_rows(
    to_rows: Callable[[Event], dict[str, Any]],
) -> None:
    assert to_rows(exit_requested()) == {}


def test_an_open_position_has_no_exit_price_no_reason_and_no_end() -> None:
    row = rows.positions(written()[1])
    assert (row["exit_price"], row["reason"], row["closed_at"]) == ([0], [""], [None])
    assert row["tradingsymbol"] == ["NIFTY2661625000CE"]


@pytest.mark.parametrize(("exit_price", "is_nan"), [("150", True), ("100", False)])
def test_a_profit_factor_without_a_loss_is_nan(exit_price: str, is_nan: bool) -> None:
    figures = next(one for one in written(exit_price) if isinstance(one, PerformanceMeasured))
    (factor,) = rows.performance_metrics(figures)["profit_factor"]
    assert isnan(factor) == is_nan
