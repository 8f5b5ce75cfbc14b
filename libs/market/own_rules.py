"""The user's own rules: a folder of files over the packaged ones, checked when they are read.

`calendar.toml` or `calendar-2027.toml` has the form of the packaged `calendar.toml`. Files are put
one over the other in the order of their names, the last one wins.
"""

import tomllib
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from libs.errors import AlphaStocksError
from libs.market.packaged import Table, packaged_table, put_over
from libs.market.table_forms import FORMS, CalendarForm

_CALENDAR = "calendar.toml"


class OwnRulesError(AlphaStocksError):
    """A file of the user's own rules that cannot be used; one line with file, key and reason."""


def use_own_rules(folder: Path | None) -> None:
    """Put the files of a folder over the packaged ones; raise OwnRulesError and change nothing."""
    put_over({} if folder is None else read_own_rules(folder))


def read_own_rules(folder: Path) -> dict[str, tuple[Table, ...]]:
    """Return the tables of a folder by the packaged file that they are over."""
    tables: dict[str, tuple[Table, ...]] = {}
    reach = Reach()
    for path in _files(folder):
        name, table = _read(path, reach)
        tables[name] = (*tables.get(name, ()), table)
    return tables


def own_rule_errors(folder: Path) -> list[str]:
    """Return what is wrong with a folder: one line for each file that cannot be used."""
    try:
        paths = _files(folder)
    except OwnRulesError as error:
        return [str(error)]
    reach = Reach()
    return [str(error) for path in paths for error in _error_of(path, reach)]


def _error_of(path: Path, reach: "Reach") -> Iterator[OwnRulesError]:
    try:
        _read(path, reach)
    except OwnRulesError as error:
        yield error


def _read(path: Path, reach: "Reach") -> tuple[str, Table]:
    """Return the packaged file that a file is over, and its table; raise OwnRulesError."""
    name = packaged_name(path)
    table = read_one(path, name)
    if name == _CALENDAR:
        reach.add(path, table)
    return name, table


def packaged_name(path: Path) -> str:
    """Return the packaged file that a file is over: `lots-2027.toml` is over `lots.toml`."""
    name = f"{path.stem.partition('-')[0]}.toml"
    if name not in FORMS:
        known = ", ".join(one.removesuffix(".toml") for one in FORMS)
        raise OwnRulesError(f"{path}: its name must begin with one of {known}")
    return name


def read_one(path: Path, name: str) -> Table:
    """Return the table of a file, each value with its source; raise OwnRulesError."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
        FORMS[name].model_validate(table)
    except ValidationError as error:
        raise OwnRulesError(f"{path}: {_reason(error)}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OwnRulesError(f"{path}: {error}") from None
    except OSError as error:
        raise OwnRulesError(f"{path}: {error.strerror}") from None
    _add_source(table, path.name)
    return table


class Reach:
    """How far the calendar reaches, file after file: without a gap, and no day beyond it."""

    def __init__(self) -> None:
        self._to: date = packaged_table(_CALENDAR)["covers"]["to"]
        self._from: date = packaged_table(_CALENDAR)["covers"]["from"]

    def add(self, path: Path, table: Table) -> None:
        """Take a file of the calendar; raise OwnRulesError if its days do not join."""
        form = CalendarForm.model_validate(table)
        if form.covers is not None:
            self._extend(path, form.covers.since, form.covers.to)
        beyond = [day for day in form.days() if not self._from <= day <= self._to]
        if beyond:
            reason = f"the calendar covers {self._from} to {self._to}; [covers] extends it"
            raise OwnRulesError(f"{path}: {min(beyond)}: {reason}")

    def _extend(self, path: Path, since: date | None, to: date) -> None:
        if since is not None and since > self._to + timedelta(days=1):
            raise OwnRulesError(f"{path}: covers.from: days after {self._to} would be missing")
        if to < self._to:
            raise OwnRulesError(f"{path}: covers.to: {to} is before {self._to}, known already")
        self._to = to


def _reason(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    what = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        what = "unknown key"
    key = ".".join(str(part) for part in first["loc"])
    return f"{key}: {what}" if key else what


def _add_source(value: Any, source: str) -> None:
    """Note the file as the source of each entry that names none."""
    if isinstance(value, list):
        for one in value:
            _add_source(one, source)
    elif isinstance(value, dict):
        if {"from", "day", "days"} & value.keys() and "to" not in value:
            value.setdefault("source", source)
        else:
            for one in value.values():
                _add_source(one, source)


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".toml")
    except OSError as error:
        raise OwnRulesError(f"{folder}: {error.strerror}") from None
