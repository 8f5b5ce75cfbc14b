"""What demo and replay share: playing a day with a progress bar, and writing its outcome."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from libs.market.calendar import load_calendar
from libs.runtime.logs import configure_logs
from libs.runtime.settings import SettingsError
from libs.store.store import Store
from services.local import screen
from services.local.play.database import open_store
from services.local.play.outcome import to_json, write_files
from services.local.play.replaying import Played
from services.local.settings import LocalSettings

OnFrame = Callable[[int], None]
"""Called with the feed's time, epoch ms."""
PlayDay = Callable[[Store, OnFrame], Coroutine[Any, Any, Played]]


@dataclass(frozen=True, slots=True)
class DayRun:
    """A run of one day: the command, its settings, its database and its output folder."""

    command: str
    day: date
    settings: LocalSettings
    var: Path
    database: str
    out: Path

    def play(self, play_day: PlayDay) -> Played:
        """Play the day, write the files of its outcome, and return it."""
        configure_logs("error", self.settings.runtime.log_format)
        played = asyncio.run(self._played(play_day))
        played.summary["database"] = self.database
        files = {**played.outcome.files(), "summary.json": to_json(played.summary)}
        write_outcome(self.out, files)
        return played

    async def _played(self, play_day: PlayDay) -> Played:
        session = load_calendar().sessions("NSE", self.day)[-1]
        title = f"{self.command} {self.day}"
        async with open_store(self.settings.store, self.var, self.database) as store:
            with screen.session_progress(title, session) as on_frame:
                return await play_day(store, on_frame)


def write_outcome(out: Path, files: Mapping[str, str]) -> None:
    """Write the files of an outcome; raise SettingsError where the disk refuses one."""
    try:
        write_files(out, files)
    except OSError as error:
        raise SettingsError(f"--out: {out}: {error.strerror or error}") from None
