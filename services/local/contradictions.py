"""Settings of different services that contradict each other."""

from collections.abc import Iterable, Iterator
from datetime import date

from libs.market.instruments import underlying_name
from libs.market.physical_settlement import load_physical_settlement
from libs.market.rulebook import load_rulebook
from libs.market.units import span_text
from libs.runtime.settings import SettingsError
from services.executor.settings import ExecutorSettings
from services.ingest.domain.universe_rules import UniverseRules
from services.position.domain.exit_rules.settings import ExitSettings
from services.signal.domain.rules.settings import SignalFilters


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
    for name in executor.entry.underlyings:
        if underlying_name(name) not in followed:
            yield (
                f"executor.entry.underlyings: {name!r} is not among ingest.universe.underlyings, "
                "so it would never be traded"
            )
