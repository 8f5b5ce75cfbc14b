"""The report's figures: a simulated day against a computation that shares nothing with it."""

import csv
import io
from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from libs.events.event import Event
from libs.events.orders import OrderFilled
from libs.market.rulebook import load_rulebook
from libs.runtime.settings import SettingsError
from services.local.commands.report import asked_period
from services.local.report.books import Books, Kept, Period, books_of
from services.local.report.csv_file import LINE_COLUMNS, csv_of
from services.local.report.folder import read_outcome
from services.local.report.on_screen import shown
from tests.unit.services.position.builders import (
    DAY,
    NOW,
    at,
    contract,
    fill,
    hear,
    make_positions,
)

RULES = load_rulebook()
TODAY = Period(DAY, DAY)
NEXT_DAY = date(2026, 6, 11)


def outcome(folder: Path, events: Sequence[Event]) -> Path:
    """The outcome folder of a run in which these orders were filled."""
    made = hear(make_positions(), *events)
    positions = [one for one in made if one.type.startswith("Position")]
    for name, told in (("orders", events), ("positions", positions)):
        text = "".join(f"{one.model_dump_json()}\n" for one in told)
        (folder / f"{name}.jsonl").write_text(text)
    return folder


def part(
    side: str, quantity: int, price: str, *, done: int, of: int, order_size: int, **more: Any
) -> OrderFilled:
    made = fill(side, quantity, price, of=of, filled_quantity=done, **more)
    return made.model_copy(update={"quantity": order_size, "broker_order_id": f"{side}{of}"})


def busy_day() -> list[OrderFilled]:
    """Three positions: filled in parts, sold at once or in two orders, with odd paise."""
    return [
        part("BUY", 75, "120.35", done=75, of=1, order_size=225),
        part("BUY", 150, "120.55", done=225, of=1, order_size=225, number=2, at_ms=NOW + 10),
        part("BUY", 300, "7.15", done=300, of=2, order_size=300, at_ms=NOW + 20),
        part("SELL", 225, "151.05", done=225, of=1, order_size=225, at_ms=NOW + 60_000),
        part("SELL", 150, "3.05", done=150, of=2, order_size=300, at_ms=NOW + 70_000),
        part("SELL", 150, "2.95", done=300, of=2, order_size=300, number=2, at_ms=NOW + 70_001),
        part("BUY", 75, "33.35", done=75, of=3, order_size=75, at_ms=NOW + 80_000),
        part("SELL", 75, "33.30", done=75, of=3, order_size=75, at_ms=NOW + 90_000),
    ]


def independent_net(fills: Sequence[OrderFilled]) -> Decimal:
    """Cash in, less cash out, less charges at the circulars' rates of June 2026."""
    paisa, rupee = Decimal("0.01"), Decimal(1)

    def near(amount: Decimal, step: Decimal) -> Decimal:
        return (amount / step).quantize(Decimal(1), ROUND_HALF_UP) * step

    cash = Decimal(0)
    values: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for one in fills:
        value = one.fill_price * one.fill_quantity
        cash += value if one.transaction_type == "SELL" else -value
        values[one.transaction_type, one.broker_order_id] += value
    fees = stt = stamp = Decimal(0)
    for (side, _), value in values.items():
        exchange, sebi = near(value * 3553 / 10**7, paisa), near(value * 10 / 10**7, paisa)
        fees += 20 + exchange + sebi + near((20 + exchange + sebi) * 18 / 100, paisa)
        stt += near(value * 15 / 10**4, paisa) if side == "SELL" else 0
        stamp += near(value * 3 / 10**5, paisa) if side == "BUY" else 0
    return cash - fees - near(stt, rupee) - near(stamp, rupee)


def books(folder: Path, events: Sequence[Event], period: Period = TODAY) -> Books:
    return books_of(read_outcome(outcome(folder, events), period.last), period, RULES)


def text_of(found: Books) -> str:
    console = Console(width=150, file=io.StringIO(), markup=False)
    for one in shown(found):
        console.print(one)
    assert isinstance(console.file, io.StringIO)
    return " ".join(console.file.getvalue().split())


def test_the_profit_of_a_day_after_charges_is_that_of_an_independent_computation(
    tmp_path: Path,
) -> None:
    found = books(tmp_path, busy_day())
    assert found.net == independent_net(busy_day())
    assert found.doubts == ()
    assert [one.net for one in found.days] == [found.net]
    of_trades = sum(one.net for one in found.closed)
    assert found.net == of_trades - found.notes[0].rounding.total


def test_the_columns_of_the_csv_add_up_to_the_report(tmp_path: Path) -> None:
    found = books(tmp_path, busy_day())
    rows = list(csv.DictReader(io.StringIO(csv_of(found))))
    total = {name: sum(Decimal(row[name]) for row in rows) for name in LINE_COLUMNS}
    assert list(total.values()) == [amount for _, amount in found.notes[0].lines.named()]
    assert sum(Decimal(row["charges"]) for row in rows) == found.charges
    assert sum(Decimal(row["net_amount"]) for row in rows) == found.net
    assert [row["row"] for row in rows] == ["fill"] * 8 + ["rounding"]
    first = rows[0]
    assert first["time"] == "2026-06-10T10:30:00+05:30"
    assert (first["order_id"], first["tradingsymbol"]) == ("BUY1", "NIFTY2661625000CE")
    assert first["trade_id"] == busy_day()[0].fill_id


def test_days_without_a_first_or_a_last_one_are_told_so() -> None:
    first, last = asked_period(None, "2026-06-18", None), asked_period(None, None, "2026-06-18")
    assert (str(first), str(last)) == ("since 2026-06-18", "until 2026-06-18")
    assert str(asked_period(None, "2026-06-17", "2026-06-18")) == "2026-06-17 to 2026-06-18"


def test_a_day_without_a_fill_is_said_to_be_empty(tmp_path: Path) -> None:
    found = books(tmp_path, [])
    assert text_of(found) == f"Nothing was traded and nothing is held: {DAY}."
    assert len(csv_of(found).splitlines()) == 1


def test_open_positions_are_valued_apart_and_count_in_no_rate(tmp_path: Path) -> None:
    found = books(tmp_path, busy_day()[:3])
    assert (len(found.closed), len(found.open)) == (0, 2)
    said = text_of(found)
    assert "0 positions closed" in said
    assert "2 positions still open" in said
    assert "Open positions count in no win rate" in said


def test_a_position_over_night_belongs_to_both_days(tmp_path: Path) -> None:
    tomorrow = at(9, 30, day=NEXT_DAY)
    events = [fill(), fill("SELL", price="150.00", at_ms=tomorrow)]
    both = books(tmp_path, events, Period(DAY, NEXT_DAY))
    assert [(one.day, one.realised) for one in both.days] == [
        (DAY, Decimal(0)),
        (NEXT_DAY, Decimal("2250.00")),
    ]
    first = books(tmp_path, events, TODAY)
    assert first.realised == 0
    assert (len(first.open), first.charges) == (1, both.notes[0].total)
    second = books(tmp_path, events, Period(NEXT_DAY, NEXT_DAY))
    assert second.realised == 2250
    assert second.charges == both.notes[1].total
    assert "bought or sold on other days" in text_of(second)


def test_what_was_oversold_is_named_first(tmp_path: Path) -> None:
    found = books(tmp_path, [fill(), fill("SELL", 150, "130.00", at_ms=NOW + 1000)])
    assert "75 units more were sold than bought" in found.doubts[0]
    assert "oversold" in text_of(found)


def test_a_fill_that_was_told_with_other_figures_is_named(tmp_path: Path) -> None:
    again = {"fill_price": Decimal(119), "occurred_at": busy_day()[-1].occurred_at}
    events = [*busy_day(), busy_day()[0].model_copy(update=again)]
    found = books(tmp_path, events)
    assert "told twice with different figures" in found.doubts[0]
    assert found.net == independent_net(busy_day())


def test_a_position_without_its_fills_is_named(tmp_path: Path) -> None:
    kept = read_outcome(outcome(tmp_path, busy_day()))
    lacking = Kept(kept.trades, kept.fills[2:], kept.premiums)
    doubts = books_of(lacking, TODAY, RULES).doubts
    assert any("its fills come to" in one for one in doubts)
    without = Kept(kept.trades[:1], [], kept.premiums)
    assert "its fills are not" in books_of(without, TODAY, RULES).doubts[0]
    strays = Kept(kept.trades[:1], kept.fills, kept.premiums)
    assert any(
        "Of 2 positions only the fills" in one for one in books_of(strays, TODAY, RULES).doubts
    )


def test_a_fill_that_was_told_late_is_no_contradiction(tmp_path: Path) -> None:
    """Its time is before the sale that had closed the position."""
    late = part("BUY", 75, "33.35", done=150, of=3, order_size=150, number=2, at_ms=NOW + 80_001)
    sold = part("SELL", 75, "33.30", done=75, of=3, order_size=75, at_ms=NOW + 95_000, order=2)
    events = [*busy_day(), late, sold]
    found = books(tmp_path, events)
    assert [one.opening for one in found.closed if one.position_id == late.position_id] == [1, 2]
    assert found.doubts == ()
    assert len(found.notes[0].fills) == 10


def test_orders_that_moved_money_are_told_from_those_on_paper(tmp_path: Path) -> None:
    assert "on paper" in text_of(books(tmp_path, busy_day()))
    live = [one.model_copy(update={"mode": "live"}) for one in busy_day()]
    said = text_of(books(tmp_path, live))
    assert "on paper" not in said
    assert "by hand say" in said
    both = books(tmp_path, [*busy_day()[:3], *live[3:]])
    assert "Paper and live orders are added up" in both.doubts[0]


def test_charges_at_rates_that_are_not_known_are_doubtful(tmp_path: Path) -> None:
    found = books(tmp_path, [fill(contract=contract(exchange="BFO"))])
    assert "Not every rate of charges is known" in found.doubts[0]


@pytest.mark.parametrize("content", ['{"type":"OrderFilled"}\n', b"\xff\xfe"])
def test_a_file_that_is_no_outcome_is_refused_with_its_name(
    tmp_path: Path, content: str | bytes
) -> None:
    outcome(tmp_path, [])
    file = tmp_path / "orders.jsonl"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SettingsError, match=r"--out: .*orders\.jsonl"):
        read_outcome(tmp_path)
