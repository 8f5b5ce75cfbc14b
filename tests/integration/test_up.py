"""`alphastocks up`: a restart goes on where it stopped, and everything is there once."""

import asyncio
import signal
from datetime import date

from libs.events.positions import PositionOpened
from libs.market.calendar import load_calendar
from tests.integration.houses import MINUTE_MS, House, stored, uninterrupted
from tests.integration.processes import asked

MUHURAT = date(2025, 10, 21)
AFTER_MUHURAT = date(2025, 10, 23)


def test_stopped_or_killed_it_goes_on_where_it_was_and_everything_is_there_once(
    house: House,
) -> None:
    with house.up("--speed", 2000) as first:
        house.wait_until_ready(first)
        opened = "SELECT count() FROM positions WHERE quantity > 0"
        first.until(lambda: house.rows(opened)[0][0] > 0, "a position is opened")
        assert first.end() == 0, first.last_words
    assert not first.has_left_something
    held, stopped_ms = house.open_positions(), house.last_minute()
    assert held

    with house.up("--speed", 0.01) as second:  # the market all but stands still
        house.wait_until_ready(second)
        assert "where it stopped" in second.out.read_text()
        assert asked(house.ports["position"], "/info")["open_positions"] == len(held)
        second.end(signal.SIGKILL)
    assert not second.has_left_something
    assert house.open_positions().keys() == held.keys()

    for minutes, number in ((7, signal.SIGKILL), (20, signal.SIGTERM)):
        with house.up("--speed", 2000) as later:
            house.wait_for_minute(later, stopped_ms + minutes * MINUTE_MS)
            status = later.end(number)
        assert status in {0, -signal.SIGKILL}, later.last_words
        assert not later.has_left_something

    compared_ms = house.last_minute() - 6 * MINUTE_MS  # later ones may still be revised
    assert stored(house, compared_ms) == asyncio.run(uninterrupted(compared_ms))
    opened_ids = [e.position_id for e in house.positions() if isinstance(e, PositionOpened)]
    assert len(opened_ids) == len(set(opened_ids))
    assert held.keys() <= set(opened_ids)


def test_after_the_end_of_a_session_the_next_start_plays_the_next_trading_day(
    house: House,
) -> None:
    with house.up("--date", MUHURAT, "--speed", 10_000) as first:
        assert first.wait() == 0, first.last_words
    session = load_calendar().sessions("NSE", MUHURAT)[-1]
    assert house.last_minute() == session.close_ms
    assert f"Playing {MUHURAT} from the open" in first.out.read_text()
    with house.up("--date", MUHURAT, "--speed", 0.01) as second:
        house.wait_until_ready(second)
        assert f"Playing {AFTER_MUHURAT} from the open" in second.out.read_text()
        assert asked(house.ports["ingest"], "/info")["trading_day"] == AFTER_MUHURAT.isoformat()
        assert second.end() == 0, second.last_words


def test_a_folder_or_a_port_in_use_is_named_in_one_line_and_nothing_is_left(house: House) -> None:
    with house.up("--speed", 0.01) as first:
        house.wait_until_ready(first)
        with house.up() as second, house.up("--var", "other") as third:
            assert (second.wait(), third.wait()) == (2, 2)
        assert "in use by another alphastocks" in second.said
        assert f"runtime.port: no listening on 127.0.0.1:{house.first_port}" in third.said
        assert "Traceback" not in second.said + third.said
        assert not any(process.has_left_something for process in (second, third))
        assert first.end() == 0
