"""Text of others on a terminal."""

import io
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as some
from rich.table import Table

from libs.runtime.sentences import tell
from libs.runtime.shown import on_one_line, shown
from services.local.screen import PlainConsole

NASTY = "red \x1b[31m, title \x1b]0;x\x07, back \r, \x9b2J, row\nrow, \u202eturned"


@given(some.text())
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    assert "Cc" not in {category(one) for one in on_one_line(text)}
    assert shown(text).count("\n") == text.count("\n")
    assert "\n" not in on_one_line(text)


def test_what_is_harmless_stays_as_it_is() -> None:
    text = "NIFTY ₹1,000 · [/noon] :smile: é"
    assert on_one_line(text) == shown(text) == text


def test_a_console_shows_orders_to_the_terminal_instead_of_passing_them_on() -> None:
    console = PlainConsole()
    console.file = io.StringIO()
    table = Table("what")
    table.add_row(NASTY)
    console.print(NASTY, "[/noon]")
    console.print(table)
    written = console.file.getvalue()
    assert not set(written) & set("\x1b\x07\r\x9b\u202e")
    assert "[/noon]" in written
    assert r"\x1b[31m" in written


@pytest.mark.parametrize("what", ["TradingHalted", "anything else"])
def test_a_log_entry_stays_on_one_line(what: str) -> None:
    event = {"event": what, "service": "executor", "reason": NASTY, "level": "info"}
    line = tell(None, "info", event)
    assert "\n" not in line
    assert "\x1b" not in line
