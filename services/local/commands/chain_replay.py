"""`alphastocks replay --chain`: recorded option chains as the market of given signals."""

import hashlib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from libs.market.calendar import load_calendar
from libs.market.rulebook import load_rulebook
from libs.runtime.settings import SettingsError
from libs.store.store import Store
from services.executor.domain.stakes import stakes_of
from services.local import screen
from services.local.commands.options import trading_day
from services.local.commands.places import check_database, check_folder
from services.local.commands.played_day import DayRun, OnFrame
from services.local.day_screen import show_day
from services.local.play.database import database_of
from services.local.play.replaying import Played
from services.local.recorded_chains.ages import ages_of
from services.local.recorded_chains.market import ChainDay, chain_day
from services.local.recorded_chains.playing import for_snapshots, play_chains
from services.local.recorded_chains.reading import ChainRows, read_chain_rows
from services.local.recorded_chains.signals_file import Scripted, read_signals
from services.local.recorded_chains.valuation import OPTIONS, closes_by
from services.local.settings import LocalSettings


@dataclass(frozen=True, slots=True)
class ChainReplay:
    """What the command was told."""

    chain: Path
    signals: Path
    day: str | None
    symbols: str | None
    out: Path
    database: str | None
    var: Path

    @property
    def on(self) -> date | None:
        """The day of --date; SettingsError unless options trade on it."""
        return None if self.day is None else trading_day(self.day, OPTIONS)


def replay_chain(asked: ChainReplay, settings: LocalSettings) -> None:
    """Play the day of a file; errors of the inputs are raised before anything is begun."""
    _check_places(asked, settings)
    on, calendar = asked.on, load_calendar()
    rows = read_chain_rows(asked.chain, asked.symbols)
    chains = chain_day(rows, on, settings.executor.chain.rate, load_rulebook(), calendar)
    scripted = read_signals(asked.signals, chains, closes_by(calendar, chains.day))
    settings = for_snapshots(settings, chains.spacing_ms)
    _tell(rows, scripted, settings)
    name = asked.database or settings.store.database or _database(asked, chains, settings)

    async def play_day(store: Store, on_frame: OnFrame) -> Played:
        played = await play_chains(settings, chains, scripted.signals, store, on_frame)
        played.summary.update(_inputs(rows, scripted))
        return played

    run = DayRun("replay", chains.day, settings, asked.var, name, asked.out)
    played = run.play(play_day)
    title = f"Replay of option chains of {chains.underlying.name}, {chains.day}"
    show_day(title, played.summary, played.outcome.day, f"{asked.out}/")
    screen.console.print(f"The whole outcome is in {asked.out}/")


def _check_places(asked: ChainReplay, settings: LocalSettings) -> None:
    check_folder("--out", asked.out)
    if not settings.store.host:
        check_folder("--var", asked.var)
    check_database(asked.database)
    if asked.symbols is not None and ("," in asked.symbols or not asked.symbols.strip()):
        raise SettingsError(f"--symbols: {asked.symbols!r}: a chain is of one underlying")


def _tell(rows: ChainRows, scripted: Scripted, settings: LocalSettings) -> None:
    """Print what was left out or refused, that the spot is derived, and what may be lost."""
    for line in rows.left_out.lines:
        screen.console.print(line, soft_wrap=True)
    for refused in scripted.refused[: screen.LONGEST_LIST]:
        screen.console.print(f"signal refused, {refused}", soft_wrap=True)
    screen.console.print(
        f"The file has no spot: that of {rows.underlying} is derived by put-call parity"
    )
    screen.console.print(stakes_of(settings.executor.policy()).line)


def _inputs(rows: ChainRows, scripted: Scripted) -> dict[str, Any]:
    """Return the figures of the inputs for the summary."""
    ages = ages_of(rows)
    return {
        "snapshots_repeated": ages.repeated,
        "snapshots_stale": ages.stale,
        "oldest_seconds": ages.oldest_seconds,
        "rows_left_out": dict(rows.left_out.counts),
        "signals_refused": tuple(map(str, scripted.refused)),
    }


def _database(asked: ChainReplay, chains: ChainDay, settings: LocalSettings) -> str:
    digests = [
        hashlib.sha256(path.read_bytes()).hexdigest() for path in (asked.chain, asked.signals)
    ]
    inputs = {"day": chains.day, "files": digests, "settings": settings.public()}
    return database_of("chain", inputs)
