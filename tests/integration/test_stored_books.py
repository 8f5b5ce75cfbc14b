"""The books out of a real ClickHouse are those of the events that were written to it."""

from asyncio import run
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

import services
from libs.events.exit_plan import ExitPlan
from libs.events.positions import PositionEvent
from libs.market.rulebook import load_rulebook
from libs.runtime.reading import FIRST_DAY, LAST_DAY
from libs.store.clickhouse import ClickHouseStore
from libs.store.migrate import apply, discover
from libs.store.store import StoreAddress
from services.executor.domain import rows as executor_rows
from services.local.report.books import Books, Kept, Period, books_of
from services.local.report.csv_file import csv_of
from services.local.report.stored import last_day, read_stored
from services.position.asked import Asked, place_of, text_of
from services.position.domain import rows
from services.position.domain.booked import BookedFill
from services.position.domain.trades import Trade
from services.position.stored import StoredTrades
from tests.integration.commands import alphastocks, settings_file
from tests.unit.services.local.report.test_books import NEXT_DAY, busy_day
from tests.unit.services.position.builders import DAY, at, fill, hear, make_positions, ticks

SERVICES = Path(services.__file__).parent
RULES = load_rulebook()
PERIODS = [Period(DAY, DAY), Period(NEXT_DAY, NEXT_DAY), Period(DAY, NEXT_DAY)]
PLAN = ExitPlan(profile="positional", overnight=True)


def lived() -> tuple[list[BookedFill], list[PositionEvent]]:
    """A busy day, a position over night, and one that is still open."""
    kept = fill(of=7).model_copy(update={"exit_plan": PLAN})
    night = fill("SELL", price="131.00", of=7, at_ms=at(9, 30, day=NEXT_DAY))
    still = fill(of=8, at_ms=at(10, 0, day=NEXT_DAY))
    fills = [*busy_day(), kept, night, still]
    marks = [ticks(125.0, at(10, 1 + minute, day=NEXT_DAY)) for minute in range(3)]
    made = hear(make_positions(), *fills, *marks)
    return [BookedFill.of(one) for one in fills], [
        one for one in made if isinstance(one, PositionEvent)
    ]


def in_memory(period: Period) -> Books:
    fills, events = lived()
    seen = [one for one in events if one.trading_day <= period.last]
    last = {one.position_id: Trade.of(one) for one in seen}
    return books_of(Kept(list(last.values()), fills, {}), period, RULES)


async def fill_tables(store: ClickHouseStore) -> None:
    await apply(store, discover(SERVICES))
    kept = fill(of=7).model_copy(update={"exit_plan": PLAN})
    night = fill("SELL", price="131.00", of=7, at_ms=at(9, 30, day=NEXT_DAY))
    still = fill(of=8, at_ms=at(10, 0, day=NEXT_DAY))
    for order in [*busy_day(), kept, night, still]:
        for _ in range(2):  # a redelivered fill is stored twice
            await store.insert("orders", executor_rows.orders(order))
    for event in lived()[1]:
        await store.insert("positions", rows.positions(event))


def same(one: Trade) -> Trade:
    """A trade without what depends on decimals that are written but not meant."""
    return replace(one, entry_price=one.entry_price.normalize())


@pytest.mark.parametrize("period", PERIODS, ids=str)
def test_the_stored_books_are_those_of_the_events(store: ClickHouseStore, period: Period) -> None:
    async def story() -> tuple[Books, object]:
        await fill_tables(store)
        stored = books_of(await read_stored(store, period), period, RULES)
        return stored, await last_day(store)

    found, last = run(story())
    expected = in_memory(period)
    assert last == NEXT_DAY
    assert found.days == expected.days
    assert found.net == expected.net
    assert found.doubts == expected.doubts == ()
    assert list(map(same, found.closed)) == list(map(same, expected.closed))
    assert [one.position_id for one in found.open] == [one.position_id for one in expected.open]
    assert csv_of(found) == csv_of(expected)


def test_the_command_reads_the_database_of_the_settings(
    store: ClickHouseStore,
    database: StoreAddress,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(fill_tables(store))
    config, sheet = settings_file(tmp_path, database), tmp_path / "fills.csv"
    asked = ("report", "--config", config, "--csv", sheet, "--from", DAY, "--to", NEXT_DAY)
    assert alphastocks(monkeypatch, *asked) == 0
    said = capsys.readouterr()
    assert "4 positions closed" in said.out
    assert "positional" in said.out, said.out
    books = in_memory(Period(DAY, NEXT_DAY))
    assert sheet.read_text() == csv_of(books)
    assert sum(one.charges for one in books.days) > Decimal(100)
    assert alphastocks(monkeypatch, "report", "--config", config) == 0
    assert f"{NEXT_DAY}: 1 position closed" in capsys.readouterr().out


def test_the_pages_of_the_store_are_those_of_memory(store: ClickHouseStore) -> None:
    closed = [Trade.of(one) for one in lived()[1] if one.closed_at]
    asked = [
        Asked(FIRST_DAY, LAST_DAY, 2),
        Asked(FIRST_DAY, LAST_DAY, 9, symbol="nifty 50"),
        Asked(DAY, DAY, 9),
        Asked(FIRST_DAY, LAST_DAY, 9, strategy="rsi"),
        Asked(FIRST_DAY, LAST_DAY, 9, before=text_of(place_of(closed[1]))),
    ]

    async def story() -> list[list[Trade]]:
        await fill_tables(store)
        trades = StoredTrades(store)
        one = await trades.of_position(closed[0].position_id)
        assert list(map(same, one)) == [same(closed[0])]
        return [await trades.page(one) for one in asked]

    for one, page in zip(asked, run(story()), strict=True):
        assert list(map(same, page)) == list(map(same, one.page(closed))), one
