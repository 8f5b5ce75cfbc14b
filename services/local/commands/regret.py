"""`alphastocks regret`: what the other strikes of each decision would have done."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from libs.market.calendar import load_calendar
from libs.market.rulebook import load_rulebook
from libs.runtime.settings import SettingsError
from libs.store.store import Store
from services.local import screen
from services.local.commands.options import Config, settings_of
from services.local.commands.places import (
    check_database,
    check_folder,
    check_readable,
    check_readable_file,
)
from services.local.commands.played_day import write_outcome
from services.local.commands.report import asked_period
from services.local.play.database import open_store
from services.local.regret.cases import Case, RegretError, read_cases
from services.local.regret.comparing import by_distance, by_weight
from services.local.regret.files import files_of
from services.local.regret.following import Followed, Follower
from services.local.regret.quotes import Quotes, quotes_in, stored_quotes
from services.local.regret.stored import stored_cases
from services.local.regret_screen import show_regret
from services.local.report.books import Period
from services.local.settings import LocalSettings
from services.position.domain.exit_rules.settings import exit_rules
from services.position.domain.open_positions import OpenPositions
from services.position.domain.seen_prices import PriceRules

Group = tuple[date, str]
DEFAULT_DATABASE = "up"
EVER = Period(date(1970, 1, 1), date(2149, 6, 6))


def regret(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="OUTCOME", help="Outcome of a demo or a replay. [default: the database]"
        ),
    ] = None,
    *,
    out: Annotated[Path, typer.Option("--out", help="Folder for the CSV files.")],
    chain: Annotated[
        Path | None,
        typer.Option("--chain", metavar="FILE", help="NSE's option chain, for the quotes."),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            "--database", help="Database of decisions and quotes. [default: the outcome's; else up]"
        ),
    ] = None,
    first: Annotated[
        str | None, typer.Option("--from", help="First day of stored decisions.")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day of stored decisions.")] = None,
    config: Config = None,
    var: Annotated[
        Path | None,
        typer.Option("--var", help="Folder of the database. [default: var; var/up for that of up]"),
    ] = None,
) -> None:
    """Follow every candidate of each decision by the same exit rules, and compare.

    Shows by how much the chosen strike was better or worse than those beside it, and than what
    other weights of the score would have chosen, with an interval. On few cases it recommends
    nothing.

    Without an OUTCOME the decisions are those of the database, which is read while no `up` runs on
    it.

    Example: `alphastocks regret var/chain --chain NIFTY_2025-08-29.csv.gz --out var/regret`
    """
    settings = settings_of(config)
    check_folder("--out", out)
    check_database(database)
    period = asked_period(None, first, last)
    place = _checked_place(folder, chain, var, settings)
    stored = _Stored(settings, place, _database_name(folder, chain, database, settings))
    cases, quotes = asyncio.run(_read(folder, period, chain, stored))
    followed = list(_followed(cases, quotes, settings))
    if not followed:
        raise RegretError(f"no candidate of {len(cases)} decisions is among the quotes")
    distances = by_distance(followed)
    weights = by_weight(followed, _weights(settings))
    write_outcome(out, files_of(followed, distances, weights))
    show_regret(followed, distances, weights)
    screen.console.print(f"Each candidate and all figures are in {out}/")


def _checked_place(
    folder: Path | None, chain: Path | None, var: Path | None, settings: LocalSettings
) -> Path:
    """Return the folder of the database; SettingsError if what is named is not there."""
    if var is not None and not settings.store.host:
        _check_database_in(var)
    if chain is not None:
        check_readable_file("--chain", chain)
    if folder is not None:
        check_readable("OUTCOME", folder)
        check_readable_file("OUTCOME", folder / "decisions.jsonl")
    place = var or Path("var" if folder else "var/up")
    if (folder is None or chain is None) and not settings.store.host:
        _check_database_in(place)
    return place


def _check_database_in(var: Path) -> None:
    """Raise SettingsError unless a folder is there: in a new one there would be nothing."""
    if not var.is_dir():
        raise SettingsError(f"--var: there is no database in {var}; name one, or quotes by --chain")


def _database_name(
    folder: Path | None, chain: Path | None, named: str | None, settings: LocalSettings
) -> str:
    """Return the database: the named one, that of an outcome if its quotes are needed, else up."""
    if named or folder is None or chain is not None:
        return named or settings.store.database or DEFAULT_DATABASE
    return _database_of(folder)


async def _read(
    folder: Path | None, period: Period | None, chain: Path | None, stored: "_Stored"
) -> tuple[list[Case], dict[Group, Quotes]]:
    """Return the decisions, of an outcome or stored ones, and the quotes for them."""
    if folder is None:
        return await stored.cases(period or EVER, chain)
    if period is not None:
        raise SettingsError("--from and --to: choose among stored decisions, not of an outcome")
    cases = read_cases(folder)
    return cases, await stored.quotes(cases, chain)


def _groups(cases: Sequence[Case]) -> list[Group]:
    return sorted({(case.day, case.underlying) for case in cases})


def _weights(settings: LocalSettings) -> dict[str, float]:
    own = settings.executor.weights
    names = ("distance", "delta", "volatility", "liquidity", "spread")
    return {name: float(getattr(own, name)) for name in names}


def _in_file(file: Path, cases: Sequence[Case], settings: LocalSettings) -> dict[Group, Quotes]:
    rules = (settings.executor.chain.rate, load_rulebook(), load_calendar())
    return {(day, name): quotes_in(file, name, day, *rules) for day, name in _groups(cases)}


@dataclass(frozen=True, slots=True)
class _Stored:
    """The database in which the executor has stored decisions and quotes."""

    settings: LocalSettings
    var: Path
    database: str

    async def cases(
        self, period: Period, chain: Path | None
    ) -> tuple[list[Case], dict[Group, Quotes]]:
        """Return the stored decisions of a period, and quotes for them."""
        async with open_store(self.settings.store, self.var, self.database) as store:
            cases = await stored_cases(store, period.first, period.last)
            return cases, await self._quotes(cases, chain, store)

    async def quotes(self, cases: Sequence[Case], chain: Path | None) -> dict[Group, Quotes]:
        """Return the quotes of the decisions' days, from a file or as they were stored."""
        if chain is not None:
            return _in_file(chain, cases, self.settings)
        async with open_store(self.settings.store, self.var, self.database) as store:
            return await self._quotes(cases, None, store)

    async def _quotes(
        self, cases: Sequence[Case], chain: Path | None, store: Store
    ) -> dict[Group, Quotes]:
        if chain is not None:
            return _in_file(chain, cases, self.settings)
        rules, groups = load_rulebook(), _groups(cases)
        return {(day, name): await stored_quotes(store, name, day, rules) for day, name in groups}


def _database_of(folder: Path) -> str:
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        return str(summary["database"])
    except (OSError, ValueError, KeyError, TypeError):
        raise SettingsError(
            f"OUTCOME: {folder}: summary.json names no database: name it by --database, or a "
            "file of quotes by --chain"
        ) from None


def _followed(
    cases: Sequence[Case], quotes: dict[Group, Quotes], settings: LocalSettings
) -> Iterator[Followed]:
    for day, name in _groups(cases):
        mine = [case for case in cases if (case.day, case.underlying) == (day, name)]
        of = quotes[day, name]
        yield from follower_of(settings).follow(mine, of.contracts, of.snapshots)


def follower_of(settings: LocalSettings) -> Follower:
    """Return a follower with the position service's rules, and with no positions yet."""
    own = settings.position
    prices = PriceRules(own.prices.traded_within_ms, own.prices.updated_within_ms)
    held = OpenPositions(
        rulebook=load_rulebook(), rules=exit_rules(own.exits, load_calendar()), prices=prices
    )
    return Follower(held, settings.executor.policy(), settings.executor.paper.latency_ms)
