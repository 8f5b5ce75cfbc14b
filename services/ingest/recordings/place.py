"""Where recorded ticks are: a file, or a folder of files, with or without a folder per day."""

import re
from collections.abc import Collection, Sequence
from datetime import date
from pathlib import Path

import numpy as np

from libs.market.calendar import IST_OFFSET_MS, day_span_ms
from libs.market.naming import has_options, name_in, tradingsymbol_of
from services.ingest.recordings import names
from services.ingest.recordings.columns import ticks_of
from services.ingest.recordings.errors import RecordingError
from services.ingest.recordings.forms import SUFFIXES, header_of, read_table
from services.ingest.recordings.named import EXCHANGES, NOTHING, Named
from services.ingest.recordings.ticks import FileTicks, LeftOut, RecordedTicks, one_after_the_other

_DATE = re.compile(r"[-_. ]*(?<!\d)(\d{4})-?(\d{2})-?(\d{2})(?!\d)")
_DAY_MS = 24 * 3600_000
_CSV = (".csv.gz", ".csv")
_COLUMNS = ("timestamp", "ltp", "volume")
"""Taken to be those of a file that is damaged: reading it will say so."""
_FIRST = date(2000, 1, 1)
_EPOCH = date(1970, 1, 1).toordinal()


class Recordings:
    """The recorded ticks at a place; each file is read when a day needs it, once.

    A folder with folders named by dates has in each the files of that day; else a file is of the
    day that its name has, or of the days of its rows.
    """

    def __init__(self, place: Path, named: Named = NOTHING) -> None:
        self.place = place
        self.named = named
        self._folders, self._files = _found(place)
        self._read: dict[Path, FileTicks] = {}

    def days(self) -> list[date]:
        """Return the days that there are ticks of, ascending; raise RecordingError without any."""
        days = {*self._folders, *(day for path in self._files for day in self._days_of(path))}
        if not days:
            raise RecordingError(
                f"{self.place}: holds no folder named by a date, such as 2021-06-09, and no ticks"
            )
        return sorted(days)

    def read(self, day: date, wanted: Collection[str] | None = None) -> FileTicks:
        """Return a day's ticks by instrument, of all or of the wanted symbols.

        Raises RecordingError for a day or a symbol that there are no ticks of, and for a file
        that cannot be read.
        """
        paths = self._paths(day)
        if not paths:
            known = ", ".join(known_day.isoformat() for known_day in self.days())
            raise RecordingError(f"{self.place}: no ticks of {day}; there are: {known}")
        if wanted is not None:
            paths = _needed(paths, wanted)
        found, left_out = self._joined(day, paths)
        if wanted is None:
            return FileTicks(found, left_out)
        missing = sorted({*wanted} - {one.symbol for one in found})
        if missing:
            there = ", ".join(self.symbols(day))
            raise RecordingError(
                f"{missing[0]}: no ticks in {self.place_of(day)}; there are: {there}"
            )
        return FileTicks([one for one in found if one.symbol in wanted], left_out)

    def symbols(self, day: date) -> list[str]:
        """Return the symbols that there are ticks of, sorted; files that say it are not read."""
        paths = self._paths(day)
        said = [name for path in paths if (name := _said(path))]
        found, _ = self._joined(day, [path for path in paths if not _said(path)])
        return sorted({*said, *(one.symbol for one in found)})

    def place_of(self, day: date) -> Path:
        """Return the folder of a day's files, or where they all are."""
        return self._folders.get(day, self.place)

    def _paths(self, day: date) -> list[Path]:
        if day in self._folders:
            folder = self._folders[day]
            paths = sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIXES))
            if not paths:
                raise RecordingError(f"{folder}: holds no {SUFFIXES[0]} file, nor another of ticks")
            return paths
        return [path for path in self._files if day in self._days_of(path)]

    def _days_of(self, path: Path) -> Collection[date]:
        day = _day_in(path.name)
        return (day,) if day else _days_of(self._file(path).ticks)

    def _joined(self, day: date, paths: Sequence[Path]) -> tuple[list[RecordedTicks], LeftOut]:
        left_out, parts = LeftOut(), dict[tuple[str, ...], list[RecordedTicks]]()
        for path in paths:
            read = self._file(path)
            left_out.join(read.left_out)
            for one in read.ticks:
                if self._is_wanted(one) and len((mine := self._of_day(path, one, day)).at_ms):
                    key = one.symbol, one.exchange or "", str(one.expiry or "")
                    parts.setdefault(key, []).append(mine)
        return [one_after_the_other(parts[key]) for key in sorted(parts)], left_out

    def _is_wanted(self, one: RecordedTicks) -> bool:
        """Whether the ticks are of the exchange that is asked for, or do not say theirs."""
        return None in (one.exchange, self.named.exchange) or one.exchange == self.named.exchange

    def _of_day(self, path: Path, one: RecordedTicks, day: date) -> RecordedTicks:
        """Return the day's ticks where the rows alone say the day; else rows as they are."""
        if path not in self._files or _day_in(path.name):
            return one
        begins_ms, ends_ms = day_span_ms(day)
        return one.take(np.flatnonzero((one.at_ms >= begins_ms) & (one.at_ms < ends_ms)))

    def _file(self, path: Path) -> FileTicks:
        if path not in self._read:
            symbol = self._name_of(path) if path in self._files else _stem(path)
            self._read[path] = ticks_of(read_table(path), symbol)
        return self._read[path]

    def _name_of(self, path: Path) -> str | None:
        """Return the symbol that is asked for, or that a name says: the file's or its folder's."""
        if self.named.symbol:
            return self.named.symbol
        name = name_in(_DATE.sub("", _stem(path)).strip("-_. "))
        exchange, _, rest = name.partition("_")
        name = rest if rest and exchange in EXCHANGES else name
        if not name and has_options(name_in(path.resolve().parent.name)):
            name = name_in(path.resolve().parent.name)
        return tradingsymbol_of(name) if name else None


def _found(place: Path) -> tuple[dict[date, Path], list[Path]]:
    """Return the folders of days, or, without any, the files."""
    if place.is_file():
        return {}, [place]
    if not place.is_dir():
        raise RecordingError(f"{place}: no such folder")
    folders = {day: path for path in place.iterdir() if path.is_dir() and (day := _named(path))}
    files = sorted(path for path in place.iterdir() if path.name.endswith(SUFFIXES))
    return folders, [] if folders else files


def _named(path: Path) -> date | None:
    day = _day_in(path.name)
    return day if day and day.isoformat() == path.name else None


def _day_in(name: str) -> date | None:
    for found in _DATE.finditer(name):
        try:
            return date(*(int(part) for part in found.groups()))
        except ValueError:
            continue
    return None


def _days_of(ticks: Sequence[RecordedTicks]) -> set[date]:
    numbers = [np.unique((one.at_ms + IST_OFFSET_MS) // _DAY_MS) for one in ticks]
    days = {date.fromordinal(_EPOCH + int(number)) for one in numbers for number in one}
    return {day for day in days if day >= _FIRST}


def _stem(path: Path) -> str:
    return next((path.name.removesuffix(one) for one in SUFFIXES if path.name.endswith(one)), "")


def _said(path: Path) -> str | None:
    """Return the symbol of a file in a folder of its day, None where its rows may say another."""
    header = header_of(path) or _COLUMNS if path.name.endswith(_CSV) else ()
    is_plain = _named(path.parent) and header and not {*names.SYMBOLS} & {*header}
    return _stem(path) if is_plain else None


def _needed(paths: Sequence[Path], wanted: Collection[str]) -> list[Path]:
    """Return the files that have wanted symbols, or may have the ones that no file's name says."""
    said = {path: _said(path) for path in paths}
    is_all_said = {*wanted} <= {*said.values()}
    return [
        path for path, name in said.items() if (name in wanted if name or is_all_said else True)
    ]
