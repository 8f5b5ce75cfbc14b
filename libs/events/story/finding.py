"""Which signal's story is meant by an id or a symbol."""

import re
from collections.abc import Iterable
from datetime import date

from libs.errors import AlphaStocksError
from libs.events.story.story import Story
from libs.market.calendar import IST

_PART_OF_AN_ID = re.compile(r"[0-9a-z-]{4,36}")
_LISTED = 8


class NoStory(AlphaStocksError):
    """Nothing, or more than one thing, is meant; its text says what to do next."""


def find(stories: Iterable[Story], asked: str, day: date | None = None) -> Story:
    """Return the story of an id, the beginning of one, or of a symbol that has one on a day.

    The day counts for symbols: by default the latest that is known. Raises NoStory.
    """
    known = sorted(stories, key=lambda story: story.at)
    if not known:
        raise NoStory(f"{asked!r}: no signal is here at all; other places: --out, --var")
    word = asked.strip().lower()
    found = [one for one in known if word in one.ids]
    found = found or _of_symbol(known, word, day)
    if not found and _PART_OF_AN_ID.fullmatch(word):
        found = [one for one in known if any(each.startswith(word) for each in one.ids)]
    if len(found) == 1:
        return found[0]
    raise NoStory(_none(known, asked, day) if not found else _several(found, asked))


def _of_symbol(known: list[Story], word: str, day: date | None) -> list[Story]:
    wanted = day or known[-1].day
    named = [one for one in known if word in {each.lower() for each in one.symbols}]
    return [one for one in named if one.day == wanted]


def _none(known: list[Story], asked: str, day: date | None) -> str:
    wanted = day or known[-1].day
    of_day = [one for one in known if one.day == wanted]
    symbols = sorted({symbol for one in of_day for symbol in one.symbols})
    if not of_day:
        days = sorted({one.day for one in known})
        return f"{asked!r}: no signal of {wanted} is here; days: {_listed(days)} (--date)"
    return f"{asked!r}: nothing of {wanted} has this id or symbol; symbols: {_listed(symbols)}"


def _several(found: list[Story], asked: str) -> str:
    return f"{asked!r} may be {len(found)} signals; name one: {_listed(map(line_of, found))}"


def line_of(story: Story) -> str:
    """Return a story's signal in a few words, with the id to ask for it."""
    at = f"{story.at.astimezone(IST):%H:%M:%S}"
    of = story.updates[0] if story.updates else story.signal
    what = f"{of.strategy} {of.action} {of.tradingsymbol}" if of is not None else "signal"
    return f"{str(story.signal_id)[:8]} ({at} {what})"


def _listed(words: Iterable[object]) -> str:
    all_words = [str(one) for one in words]
    more = len(all_words) - _LISTED
    return ", ".join(all_words[:_LISTED]) + (f" and {more} more" if more > 0 else "")
