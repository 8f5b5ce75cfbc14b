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
from libs.runtime.error_line import system_reason
from libs.runtime.settings import SettingsError
from services.local import screen
from services.local.commands.options import Config, Var, settings_of
from services.local.commands.places import check_database, check_folder, check_readable
from services.local.commands.played_day import write_outcome
from services.local.play.database import open_store
from services.local.regret.cases import Case, RegretError, read_cases
from services.local.regret.comparing import by_distance, by_weight
from services.local.regret.files import files_of
from services.local.regret.following import Followed, Follower
from services.local.regret.quotes import Quotes, quotes_in, stored_quotes
from services.local.regret_screen import show_regret
from services.local.settings import LocalSettings
from services.position.domain.exit_rules.settings import exit_rules
from services.position.domain.open_positions import OpenPositions
from services.position.domain.seen_prices import PriceRules

Group = tuple[date, str]


def regret(
    folder: Annotated[
        Path, typer.Argument(metavar="OUTCOME", help="Outcome of a demo or a replay.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the CSV files.")],
    chain: Annotated[
        Path | None,
        typer.Option("--chain", metavar="FILE", help="NSE's option chain, for the quotes."),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option("--database", help="Database of the quotes. [default: the outcome's]"),
    ] = None,
    config: Config = None,
    var: Var = Path("var"),
) -> None:
    """Follow every candidate of each decision by the same exit rules, and compare.

    Shows by how much the chosen strike was better or worse than those beside it, and than what
    other weights of the score would have chosen, with an interval. On few cases it recommends
    nothing.

    Example: `alphastocks regret var/chain --chain NIFTY_2025-08-29.csv.gz --out var/regret`
    """
    settings = settings_of(config)
    check_folder("--out", out)
    check_database(database)
    _check_quotes(chain, var, settings)
    check_readable("OUTCOME", folder)
    cases = read_cases(folder)
    if chain is None:
        asked = _Stored(settings, var, database or _database_of(folder))
        quotes = asyncio.run(asked.quotes(cases))
    else:
        quotes = _in_file(chain, cases, settings)
    followed = list(_followed(cases, quotes, settings))
    if not followed:
        raise RegretError(f"{folder}: no candidate of {len(cases)} decisions has a later quote")
    distances = by_distance(followed)
    weights = by_weight(followed, _weights(settings))
    write_outcome(out, files_of(followed, distances, weights))
    show_regret(followed, distances, weights)
    screen.console.print(f"Each candidate and all figures are in {out}/")


def _check_quotes(chain: Path | None, var: Path, settings: LocalSettings) -> None:
    """Raise SettingsError if the file of quotes cannot be read, or no database can be opened."""
    if chain is None:
        if not settings.store.host:
            check_folder("--var", var)
        return
    try:
        chain.open("rb").close()
    except OSError as error:
        raise SettingsError(f"--chain: {system_reason(error)}") from None


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
    """Where the executor has stored quotes."""

    settings: LocalSettings
    var: Path
    database: str

    async def quotes(self, cases: Sequence[Case]) -> dict[Group, Quotes]:
        """Return the stored quotes of the decisions' days."""
        rulebook = load_rulebook()
        async with open_store(self.settings.store, self.var, self.database) as store:
            return {
                (day, name): await stored_quotes(store, name, day, rulebook)
                for day, name in _groups(cases)
            }


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
