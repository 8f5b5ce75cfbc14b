"""The books out of the outcome folder of `demo` or `replay`."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from libs.events.orders import OrderFilled
from libs.events.positions import PositionClosed, PositionEvent, PositionOpened, PositionUpdated
from libs.runtime.error_line import system_reason
from libs.runtime.settings import SettingsError
from services.local.play.outcome import FILES
from services.local.report.books import Kept
from services.position.domain.accounts import Opening
from services.position.domain.booked import BookedFill
from services.position.domain.trades import Trade

E = TypeVar("E")
_FILLED: TypeAdapter[OrderFilled] = TypeAdapter(OrderFilled)
_POSITION: TypeAdapter[PositionOpened | PositionUpdated | PositionClosed] = TypeAdapter(
    PositionOpened | PositionUpdated | PositionClosed
)


def read_outcome(folder: Path, until: date = date.max) -> Kept:
    """Return what an outcome's files keep, positions as they were at the end of a day.

    Raises SettingsError for a file that cannot be read.
    """
    fills = [
        BookedFill.of(one)
        for one in _events(folder / FILES["orders"], _FILLED, '"type":"OrderFilled"')
    ]
    last: dict[Opening, PositionEvent] = {}
    for event in _events(folder / FILES["positions"], _POSITION, ""):
        if event.trading_day <= until:
            last[event.position_id, event.openings] = event
    return Kept([Trade.of(one) for one in last.values()], fills, dict[UUID, Decimal]())


def _events(file: Path, kind: TypeAdapter[E], mark: str) -> Iterator[E]:
    try:
        lines = file.read_text("utf-8").splitlines()
    except UnicodeDecodeError:
        raise SettingsError(f"--out: {file} is not text") from None
    except OSError as error:
        raise SettingsError(f"--out: {system_reason(error)}") from None
    for number, line in enumerate(lines, 1):
        if mark in line:
            yield _event(kind, line, f"{file}, line {number}")


def _event(kind: TypeAdapter[E], line: str, where: str) -> E:
    try:
        return kind.validate_json(line)
    except ValidationError:
        raise SettingsError(f"--out: {where}: this is no event of this version") from None
