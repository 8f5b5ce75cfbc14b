"""What somebody asks to be explained."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Asked:
    """An id, its beginning, or a symbol; the day counts for symbols, None: the latest."""

    word: str
    day: date | None = None
