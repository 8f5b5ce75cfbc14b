"""What our books hold of earlier days, read from a journal that nobody uses."""

import asyncio
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from libs.events.bus import TopicPartition
from libs.events.codec import record_of
from libs.events.embedded.journal import Journal
from libs.events.event import Event
from libs.events.orders import OrderFilled
from libs.runtime.settings import BusSettings
from services.executor.domain.order import Order
from services.local.flatten.account import ContractKey
from services.local.flatten.books import Booked, books_of, carried
from services.local.flatten.earlier_days import BooksUnknown, books_of_bus
from tests.unit.services.executor.builders import fill, plan, update
from tests.unit.services.local.flatten.books import order


def entry() -> tuple[Order, list[Event]]:
    """An entry that has filled, with its events."""
    placed = Order(plan())
    quantity = placed.plan.quantity
    return placed, [placed.plan, *placed.on_update(update(placed, "COMPLETE", fill(quantity)))]


def key_of(placed: Order) -> ContractKey:
    contract = placed.plan.contract
    return ContractKey(contract.exchange, contract.tradingsymbol, placed.plan.product)


def written(folder: Path, events: Sequence[Event]) -> None:
    """Write events to a journal."""
    journal = Journal(folder / "journal")
    journal.open()
    with closing(journal):
        for event in events:
            journal.append(TopicPartition("orders", 0), record_of(event))


def read(folder: Path) -> tuple[Booked, ...]:
    return asyncio.run(books_of_bus(BusSettings(), folder, "paper"))


def test_the_fills_of_a_journal_are_carried_unless_the_brokers_book_shows_them(
    tmp_path: Path,
) -> None:
    placed, events = entry()
    written(tmp_path, events)
    books, quantity = read(tmp_path), placed.plan.quantity
    assert carried(books, []) == {key_of(placed): quantity}
    today = order(1, "BUY", quantity, quantity, placed.plan.tag, "COMPLETE")
    assert carried(books, [today]) == {}


def test_a_repeated_fill_counts_once_and_one_of_another_mode_not_at_all() -> None:
    _, events = entry()
    filled = next(one for one in events if isinstance(one, OrderFilled))
    assert len(books_of([*events, filled], "paper")) == 1
    assert books_of(events, "live") == ()


def test_a_journal_that_is_in_use_is_not_touched(tmp_path: Path) -> None:
    written(tmp_path, entry()[1])
    other = Journal(tmp_path / "journal")
    other.open()
    with closing(other), pytest.raises(BooksUnknown, match="in use"):
        read(tmp_path)


def test_without_a_journal_and_without_kafka_nothing_is_known(tmp_path: Path) -> None:
    with pytest.raises(BooksUnknown, match="there is no journal"):
        read(tmp_path)


def test_a_kafka_that_is_away_is_said(tmp_path: Path) -> None:
    away = BusSettings(kind="kafka", bootstrap="127.0.0.1:1", connect_seconds=0)
    with pytest.raises(BooksUnknown, match="127"):
        asyncio.run(books_of_bus(away, tmp_path, "paper"))
