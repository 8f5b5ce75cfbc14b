"""What `alphastocks replay` is told of the recorded files: where they are, and of what."""

from datetime import date
from pathlib import Path

from libs.market.dump import DumpError, read_dump
from libs.market.instruments import Instrument
from libs.market.names import unknown
from libs.runtime.settings import SettingsError
from services.ingest.recordings.errors import RecordingError
from services.ingest.recordings.forms import content_of
from services.ingest.recordings.named import EXCHANGES, Named
from services.ingest.recordings.place import Recordings
from services.local.commands.places import check_readable


def recordings_at(place: Path, named: Named) -> Recordings:
    """Return the recordings of a file or a folder; raise SettingsError if it cannot be read."""
    if not place.is_file():
        check_readable("DIR", place)
    return Recordings(place, named)


def named_by(
    day: date,
    symbol: str | None,
    exchange: str | None,
    expiry: str | None,
    instruments: Path | None,
) -> Named:
    """Return what the options say of instruments; raise SettingsError naming the option."""
    checked_exchange(exchange)
    if symbol is not None and not symbol.strip():
        raise SettingsError("--symbol: no symbol is named")
    expires = None if expiry is None else _expiry(expiry, day)
    return Named(symbol, exchange, expires, () if instruments is None else _listed(instruments))


def checked_exchange(exchange: str | None) -> str | None:
    """Return the exchange of --exchange; raise SettingsError unless its hours are known."""
    if exchange is not None and exchange not in EXCHANGES:
        raise SettingsError(f"--exchange: {unknown(exchange, EXCHANGES)}")
    return exchange


def _expiry(text: str, day: date) -> date:
    try:
        expiry = date.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"--expiry: {text!r} is not a date such as 2025-11-25") from None
    if expiry < day:
        raise SettingsError(f"--expiry: {expiry} is before {day}, the day that is replayed")
    return expiry


def _listed(path: Path) -> tuple[Instrument, ...]:
    try:
        return read_dump(content_of(path), str(path)).instruments
    except (DumpError, RecordingError) as error:
        raise SettingsError(f"--instruments: {error}") from None
