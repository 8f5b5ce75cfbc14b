"""`alphastocks up`: a restart goes on where it stopped, and everything is there once."""

import json
import signal
from datetime import date

import pytest

from libs.events.positions import PositionOpened
from libs.market.calendar import load_calendar
from libs.runtime.access import hash_of, new_token
from services.local.control_file import control_of
from tests.integration.commands import alphastocks
from tests.integration.houses import MINUTE_MS, SEED, House, stored, uninterrupted
from tests.integration.processes import asked, free_ports

MUHURAT = date(2025, 10, 21)
AFTER_MUHURAT = date(2025, 10, 23)


def until_something_is_held(house: House) -> None:
    """Run until a position is open, and stop."""
    with house.up("--speed", 2000) as first:
        house.wait_until_ready(first)
        opened = "SELECT count() FROM positions WHERE quantity > 0"
        house.wait_for_row(first, opened, "a position is opened")
        assert first.end() == 0, first.last_words
    assert not first.has_left_something


def test_stopped_or_killed_it_goes_on_where_it_was_and_everything_is_there_once(
    house: House,
) -> None:
    until_something_is_held(house)
    held, stopped_ms = house.open_positions(), house.last_minute()
    assert held
    for minutes, number in ((7, signal.SIGKILL), (20, signal.SIGTERM)):
        with house.up("--speed", 2000) as later:
            house.wait_for_minute(later, stopped_ms + minutes * MINUTE_MS)
            assert "where it stopped" in later.out.read_text()
            status = later.end(number)
        assert status in {0, -signal.SIGKILL}, later.last_words
        assert not later.has_left_something

    compared_ms = house.last_minute() - 6 * MINUTE_MS  # later ones may still be revised
    assert stored(house, compared_ms) == uninterrupted(compared_ms)
    opened_ids = [e.position_id for e in house.positions() if isinstance(e, PositionOpened)]
    assert len(opened_ids) == len(set(opened_ids))
    assert held.keys() <= set(opened_ids)


@pytest.mark.proof("half a minute; in small: the upgrade, which starts on an open position")
def test_what_was_held_at_a_stop_is_held_after_the_start_and_after_a_kill(house: House) -> None:
    until_something_is_held(house)
    held = house.open_positions()
    with house.up("--speed", 0.01) as second:  # the market all but stands still
        house.wait_until_ready(second)
        assert "where it stopped" in second.out.read_text()
        assert asked(house.ports["position"], "/info")["open_positions"] == len(held)
        second.end(signal.SIGKILL)
    assert not second.has_left_something
    assert house.open_positions().keys() == held.keys()


def test_at_the_close_it_tells_the_day_and_goes_on_with_the_next_trading_day(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    going_on = f"Playing {AFTER_MUHURAT} from the open"
    close_ms = load_calendar().sessions("NSE", MUHURAT)[-1].close_ms
    house.stop_at(MUHURAT, close_ms - 12 * MINUTE_MS)  # the last minutes are the day in short
    with house.up("--date", MUHURAT, "--speed", 10_000) as first:
        first.until(lambda: going_on in first.out.read_text(), "the next day begins", 0.2)
        house.wait_until_ready(first)
        assert asked(house.ports["ingest"], "/info")["trading_day"] == AFTER_MUHURAT.isoformat()
        assert first.end() == 0, first.last_words
    said = " ".join(first.out.read_text().split())  # a title is as wide as its table
    assert f"Playing {MUHURAT} where it stopped" in said
    assert f"{MUHURAT}: the session is over" in said
    assert f"{AFTER_MUHURAT}, so far" in said
    assert "strategies stopped" in said
    closed_ms = (
        "SELECT toUnixTimestamp64Milli(max(closes_at)) FROM historical_data "
        f"WHERE source = 'live' AND interval = '1m' AND trading_day = '{MUHURAT}'"
    )
    assert house.rows(closed_ms) == [(close_ms,)]

    monkeypatch.chdir(house.folder)
    for option, value, reason in (
        ("--date", MUHURAT, f"tmp goes on with {AFTER_MUHURAT}; leave --date out"),
        ("--seed", SEED + 1, f"tmp holds the market of seed {SEED}; leave --seed out"),
    ):
        assert alphastocks(monkeypatch, *house.words(option, value)) == 2
        assert f"{option}: {reason}" in capsys.readouterr().err


def test_a_folder_or_a_port_in_use_is_named_in_one_line_and_nothing_is_left(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house.up("--speed", 0.01) as first:
        house.wait_until_ready(first)
        with house.up("--var", "other") as third:
            assert third.wait() == 2
        assert f": process {first.pid} (" in third.said
        monkeypatch.setenv("ALPHASTOCKS_RUNTIME__PORT", str(free_ports(len(house.ports))))
        with house.up() as second:
            assert second.wait() == 2
        assert "in use by another alphastocks" in second.said
        assert f"runtime.port: no listening on 127.0.0.1:{house.first_port}" in third.said
        assert "Traceback" not in second.said + third.said
        assert not any(process.has_left_something for process in (second, third))
        assert first.end() == 0


def test_a_running_up_is_found_by_its_folder_and_its_token_is_nowhere_else(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*words: str) -> str:
        alphastocks(monkeypatch, *words, "--var", str(house.folder / "tmp"))
        shown = capsys.readouterr()
        return shown.out + shown.err

    for name in ("TOKEN", "TOKEN_FILE", "URL"):
        monkeypatch.delenv(f"ALPHASTOCKS_CONTROL_{name}", raising=False)
    with house.up("--speed", 0.01) as process:
        house.wait_until_ready(process)
        control = control_of(house.folder / "tmp")
        assert control is not None
        assert "Trading is halted" in said("halt", "--reason", "news")
        assert "halted (halted by local: news)" in said("state")
        assert "Exits requested" in said("exit", "--yes")
        assert "Trading goes on" in said("resume")
        info = json.dumps(asked(house.ports["executor"], "/info"))
        process.end(signal.SIGKILL)
    assert control.token not in info
    (kept,) = (house.folder / "tmp").rglob("control.json")  # the kill has left it
    for file in (one for one in house.folder.rglob("*") if one.is_file() and one != kept):
        assert control.token.encode() not in file.read_bytes(), file
    assert "no `alphastocks up` runs with" in said("state")


def test_a_halt_by_command_lasts_over_a_restart_and_its_token_is_nowhere_to_be_found(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    token, settings = new_token(), house.folder / "alphastocks.toml"
    kept = f'{{ name = "asha", scope = "operate", sha256 = "{hash_of(token)}" }}'
    settings.write_text(f"{settings.read_text()}\n[executor]\ncontrol = {{ tokens = [{kept}] }}\n")
    monkeypatch.setenv("ALPHASTOCKS_CONTROL_TOKEN", token)
    monkeypatch.setenv("ALPHASTOCKS_CONTROL_URL", f"http://127.0.0.1:{house.ports['executor']}")

    def said(*words: str) -> str:
        status = alphastocks(monkeypatch, *words)
        shown = capsys.readouterr()
        assert status in {0, 2}
        return shown.out + shown.err

    with house.up("--speed", 0.01) as first:
        house.wait_until_ready(first)
        assert "Trading is halted" in said("halt", "--reason", "news")
        assert "403 a token of scope operate may not do this" in said("mode", "disabled")
        first.end(signal.SIGKILL)
    assert "no answer from the executor" in said("state")
    with house.up("--speed", 0.01) as second:
        house.wait_until_ready(second)
        assert "halted (halted by asha: news)" in said("state")
        assert "Trading goes on" in said("resume")
        info = json.dumps(asked(house.ports["executor"], "/info"))
        assert second.end() == 0
    assert token not in info
    assert hash_of(token) not in info
    for file in (one for one in house.folder.rglob("*") if one.is_file()):
        assert token.encode() not in file.read_bytes(), file
