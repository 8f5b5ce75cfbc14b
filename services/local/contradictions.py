"""Settings of different services that contradict each other."""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import date

from libs.market.instruments import underlying_name
from libs.market.names import unknown
from libs.market.physical_settlement import load_physical_settlement
from libs.market.rulebook import load_rulebook
from libs.market.units import span_text
from libs.runtime.settings import SettingsError
from services.executor.domain.profiles import StrikeChoice
from services.executor.settings import ExecutorSettings
from services.ingest.domain.universe_rules import UniverseRules
from services.position.domain.exit_rules.settings import ExitSettings
from services.signal.domain.rules.settings import SignalFilters

_PERCENT_A_STRIKE = 0.2
"""What lies between two strikes of NIFTY 50, about; those of shares are farther apart."""


def refuse_any(lines: Iterable[str]) -> None:
    """Raise SettingsError with the first contradiction, if there is one."""
    for line in lines:
        raise SettingsError(line)


def between_entry_and_exit(executor: ExecutorSettings, exits: ExitSettings) -> Iterator[str]:
    """Yield what makes an entry useless, since its position is exited at once."""
    entry, at_once = executor.entry, "a position would be left as soon as it is opened"
    if entry.last_entry >= exits.square_off:
        yield (
            f"executor.entry.last_entry: {entry.last_entry:%H:%M} is not before "
            f"position.exits.square_off, {exits.square_off:%H:%M}: {at_once}"
        )
    if entry.before_close_ms <= exits.before_close_ms:
        yield (
            f"executor.entry.before_close_ms: {entry.before_close_ms} "
            f"({span_text(entry.before_close_ms)}) is not more than "
            f"position.exits.before_close_ms, {exits.before_close_ms}: {at_once}"
        )
    if entry.before_expiry_ms <= exits.before_expiry_ms:
        yield (
            f"executor.entry.before_expiry_ms: {entry.before_expiry_ms} "
            f"({span_text(entry.before_expiry_ms)}) is not more than "
            f"position.exits.before_expiry_ms, {exits.before_expiry_ms}: {at_once}"
        )
    margin = load_physical_settlement().margin_days.at(date.max).value
    bought = margin if entry.before_settlement_days is None else entry.before_settlement_days
    held = margin if exits.before_settlement_days is None else exits.before_settlement_days
    if bought < held:
        yield (
            f"executor.entry.before_settlement_days: {bought} is less than "
            f"position.exits.before_settlement_days, {held}: {at_once}"
        )
    product = executor.orders.product
    broker = load_rulebook().broker_square_off(product, date.max)
    if broker is not None and exits.square_off >= broker:
        yield (
            f"position.exits.square_off: {exits.square_off:%H:%M} is not before {broker:%H:%M}, "
            f"when the broker closes positions of executor.orders.product, {product}"
        )


def between_filters_and_entry(filters: SignalFilters, executor: ExecutorSettings) -> Iterator[str]:
    """Yield what the signal service lets pass and the executor refuses, or the other way round."""
    entry = executor.entry
    for name in entry.underlyings:
        if not filters.passes(name):
            yield (
                f"executor.entry.underlyings: {name!r} is not passed on by signal.filters, "
                "so it would never be traded"
            )
    if filters.windows and all(one.first >= entry.last_entry for one in filters.windows):
        first = min(one.first for one in filters.windows)
        yield (
            f"signal.filters.windows: {first:%H:%M} is not before executor.entry.last_entry, "
            f"{entry.last_entry:%H:%M}: no signal would be traded"
        )


def between_filters_and_universe(filters: SignalFilters, universe: UniverseRules) -> Iterator[str]:
    """Yield the underlyings that signals are wanted on and ingest does not follow.

    What a rule chooses is known with the day's dump alone.
    """
    if universe.is_open_ended:
        return
    followed = {underlying_name(key) for key in universe.quoted}
    named = (
        *(("underlyings", name) for name in filters.underlyings),
        *(("own", one.underlying) for one in filters.own),
    )
    for key, name in named:
        if underlying_name(name) not in followed:
            yield (
                f"signal.filters.{key}: {name!r} is not among ingest.universe.underlyings, "
                "nor named in its equity or index, so it would never have a signal"
            )


def between_choice_and_universe(
    executor: ExecutorSettings, universe: UniverseRules
) -> Iterator[str]:
    """Yield what the executor chooses from and ingest does not follow."""
    chain, followed = executor.chain, {underlying_name(key) for key in universe.underlyings}
    if chain.strikes_from_atm > universe.near_strikes:
        yield (
            f"executor.chain.strikes_from_atm: {chain.strikes_from_atm} is more than "
            f"ingest.universe.near_strikes, {universe.near_strikes}: farther strikes have no quotes"
        )
    if universe.expiries < executor.expiries_needed:
        yield (
            f"ingest.universe.expiries: {universe.expiries} do not hold the "
            f"{chain.expiry} expiry of executor.chain: write {executor.expiries_needed}"
        )
    for name, profile in executor.policy().in_use.items():
        needed = _strikes_needed(profile.strike)
        if needed > universe.near_strikes:
            yield (
                f"ingest.universe.near_strikes: {universe.near_strikes} do not hold what profile "
                f"{name} wants, {profile.strike}: write {needed}"
            )
    for name in executor.entry.underlyings:
        if underlying_name(name) not in followed:
            yield (
                f"executor.entry.underlyings: {name!r} is not among ingest.universe.underlyings, "
                "so it would never be traded"
            )


def _strikes_needed(choice: StrikeChoice) -> int:
    """Return how many strikes from the money a choice lies; by percent it is an estimate."""
    farthest = max((abs(one) for one in choice.wanted), default=0.0)
    if choice.by == "moneyness":
        return math.ceil(farthest / _PERCENT_A_STRIKE)
    return round(farthest) if choice.by == "strikes" else 0


def unknown_strategies(
    executor: ExecutorSettings, known: Callable[[Collection[str]], Iterable[str]]
) -> Iterator[str]:
    """Yield the names in the executor's settings under which no strategy is known."""
    named: dict[str, Mapping[str, object]] = {
        "profile_of": executor.profile_of,
        "entry.windows_of": executor.entry.windows_of,
        "budgets.strategies": executor.budgets.strategies,
    }
    wanted = {name for of_strategies in named.values() for name in of_strategies}
    if not wanted:
        return
    names = list(known(wanted))
    for key, of_strategies in named.items():
        for name in of_strategies:
            if name not in names:
                yield f"executor.{key}.{name}: {unknown(name, names, 'strategy')}"
