"""What `alphastocks reconcile` shows."""

import io
from dataclasses import replace
from decimal import Decimal

import pytest
from rich.console import Console

from libs.broker.port import Margin
from libs.runtime.settings import SettingsError
from services.executor.domain.reconciliation import Reconciler, UnreadableRow, view_of
from services.executor.reconciliation_reply import Reconciliation, reconciliation_of
from services.local.commands.reconcile import _reconciliation
from services.local.commands.reconcile_page import contracts_table, reconciliation_lines
from tests.unit.services.executor.reconciliation.accounts import LOT, Account, World

TEN_MS = 1_781_584_200_000
"""2026-06-16 10:00:00 in India."""


def reply(reconciler: Reconciler, now_ms: int) -> Reconciliation:
    """The reply as it comes over HTTP."""
    sent = reconciliation_of(view_of(reconciler, now_ms)).model_dump_json()
    return Reconciliation.model_validate_json(sent)


def shown(found: Reconciliation) -> str:
    console = Console(width=100, record=True, file=io.StringIO())
    for line in reconciliation_lines(found):
        console.print(line, markup=False)
    console.print(contracts_table(found))
    return console.export_text()


def traded() -> World:
    world = World(Account(now_ms=TEN_MS))
    world.trade("BUY", 2 * LOT, "entry")
    world.look(after_ms=0)
    return world


def test_before_the_first_reading_nothing_is_claimed() -> None:
    found = reply(Reconciler(), TEN_MS)
    assert list(reconciliation_lines(found)) == ["The account was not read yet."]


def test_a_contract_that_agrees_is_shown_with_its_units_and_the_age_of_the_agreement() -> None:
    world = traded()
    text = shown(reply(world.reconciler, world.account.now_ms + 90_000))
    assert "account read     at 10:00:01 in India" in text
    assert "agreed last      at 10:00:01, 1 min 30 s ago" in text
    (row,) = (line for line in text.splitlines() if "NIFTY2661625000CE, NRML" in line)
    assert [one.strip() for one in row.split("│")[2:6]] == ["agrees", "150", "150", "0"]


def test_what_was_sold_by_hand_is_shown_once_as_not_certain_and_then_as_corrected() -> None:
    world = traded()
    world.account.trade("SELL", LOT)
    for outcome in ("not certain yet", "corrected"):
        world.look()
        text = shown(reply(world.reconciler, world.account.now_ms))
        assert outcome in text
        assert "75 units were sold by hand" in text


def test_quarantines_unreadable_rows_and_funds_are_named() -> None:
    world = traded()
    row = UnreadableRow("order", "26061600077", tag="entry")
    funds = {"equity": Margin(Decimal("102345.5"), Decimal(9000))}
    for _ in range(2):
        world.look(replace(world.account.snapshot(row), margins=funds))
    text = shown(reply(world.reconciler, world.account.now_ms))
    assert "no entry in NIFTY: order 26061600077 cannot be read" in text
    assert "unreadable       order 26061600077" in text
    assert "equity: ₹1,02,345.50 available, ₹9,000.00 used" in text


def test_an_executor_of_another_version_is_one_line() -> None:
    with pytest.raises(SettingsError, match=r"reconcile: http://x is of another version: at"):
        _reconciliation({"contracts": []}, "http://x")
