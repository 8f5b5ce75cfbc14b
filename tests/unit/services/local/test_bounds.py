"""Every setting of money, risk, time and size has bounds, and a wrong value says what was meant."""

import dataclasses
import inspect
from collections.abc import Iterator, Mapping
from datetime import time
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from pydantic import BaseModel, ValidationError

from libs.market.bounds import Unit
from libs.market.time_of_day import TimeOfDay
from libs.runtime.settings import SettingsError, load_settings
from services.local.settings import LocalSettings

MEASURED = (int, float, Decimal, time)
BESIDE: dict[str, dict[str, Any]] = {
    "ingest.universe": {"underlyings": ["NSE:SBIN"]},
    "position.exits.trailing_stop": {"gain": "0.2", "fall": "0.1"},
    "executor.limits.profit_lock": {"at": "0.5"},
    "executor.limits.each_strategy.profit_lock": {"at": "0.5"},
}
"""Keys without a default, for the groups of which one key is set here."""
Leaf = tuple[str, Any, type, Unit | TimeOfDay | None]
"""A key, its default, its type and its bounds."""


def leaves(group: Any, path: str = "") -> Iterator[Leaf]:
    """Yield every number and time of a group, also of those that are not there by default."""
    of = group if inspect.isclass(group) else type(group)
    for key, hint in get_type_hints(of, include_extras=True).items():
        default = None if inspect.isclass(group) else getattr(group, key)
        name = f"{path}.{key}".lstrip(".")
        if isinstance(default, Mapping):  # by names of your own, of which there are none
            continue
        groups = [one for one in parts(hint) if is_group(one)]
        if groups:
            yield from leaves(groups[0] if default is None else default, name)
            continue
        bounds = [one for one in parts(hint) if isinstance(one, Unit | TimeOfDay)]
        for measured in {one for one in parts(hint) if one in MEASURED}:
            yield name, default, measured, bounds[0] if bounds else None


def parts(hint: Any) -> Iterator[Any]:
    """Yield a type, what annotates it, and the types within it."""
    yield getattr(hint, "__origin__", hint)
    yield from getattr(hint, "__metadata__", ())
    if not inspect.isclass(hint) or get_args(hint):
        for one in get_args(hint):
            yield from parts(one)


def is_group(one: Any) -> bool:
    return inspect.isclass(one) and (dataclasses.is_dataclass(one) or issubclass(one, BaseModel))


LEAVES = tuple(leaves(LocalSettings()))
BOUNDED = [leaf for leaf in LEAVES if leaf[3] is not None]


def nested(key: str, value: object) -> dict[str, Any]:
    """Return the settings in which one key has a value."""
    group, _, last = key.rpartition(".")
    own = {**BESIDE.get(group, {}), last: value}
    return nested(group, own) if group else own


def refusal(key: str, value: object) -> str:
    """Return the line that refuses a value, which names its key."""
    with pytest.raises(ValidationError) as refused:
        LocalSettings(**nested(key, value))
    first = refused.value.errors(include_url=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def test_every_number_and_time_of_the_settings_has_bounds() -> None:
    assert [key for key, _, _, bounds in LEAVES if bounds is None] == []
    assert len(LEAVES) > 60
    assert "position.exits.trailing_stop.fall" in {key for key, *_ in LEAVES}


def test_every_default_is_within_its_bounds() -> None:
    for key, default, _, bounds in BOUNDED:
        assert default is None or (bounds and bounds.holds(default)), key


def outside(bounds: Unit | TimeOfDay) -> Iterator[object]:
    if isinstance(bounds, TimeOfDay):
        opens = bounds.hours[0]
        yield f"{opens.hour - (not opens.minute):02}:{(opens.minute - 1) % 60:02}:59"
        yield from ("23:00", "00:00", 54_900, "54900", True, "noon")
        return
    least, most = Decimal(bounds.least), Decimal(bounds.most)
    yield from (str(least - 1), str(most + 1), "nan", "inf", "-inf", True, "much", [])
    if bounds.above:
        yield str(least)
    if bounds.below:
        yield str(most)


@pytest.mark.parametrize("leaf", BOUNDED, ids=lambda leaf: leaf[0])
def test_a_value_outside_the_bounds_is_refused_and_its_key_and_unit_are_named(leaf: Leaf) -> None:
    key, _, _, bounds = leaf
    assert bounds is not None
    for value in outside(bounds):
        line = refusal(key, value)
        assert line.startswith(f"{key}: "), (value, line)
        noun = "a time" if isinstance(bounds, TimeOfDay) else bounds.noun
        assert noun in line or "write" in line, (value, line)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("executor.sizing.risk", "2", '2 means 200 %; a fraction is wanted: write "0.02" for 2 %'),
        ("executor.sizing.risk", "2 %", "'2 %': write \"0.02\" for 2 %"),
        ("executor.sizing.risk", 0, "0 means 0 %; a fraction above 0, below 1 is wanted"),
        ("executor.sizing.risk", "0.2", "0.2 is more than max_position, 0.10"),
        ("executor.sizing.max_position", "10", 'write "0.1" for 10 %'),
        ("executor.sizing.max_position", 1, '1 means 100 %; a fraction is wanted: write "0.01"'),
        ("executor.sizing.risk", 1, 'write "0.01" for 1 %'),
        ("executor.limits.daily_loss", "1", 'write "0.01" for 1 %'),
        ("executor.limits.capital_at_risk", "1", 'write "0.01" for 1 %'),
        ("executor.entry.min_expected_move", 0.01, "0.01 means 0.01 %; a number of percent"),
        ("executor.entry.min_expected_move", 0.01, "write 1 for 1 %"),
        ("position.exits.before_expiry_ms", 90, "write 5400000 for 1 h 30 min"),
        ("executor.entry.before_close_ms", 45, "write 2700000 for 45 min"),
        ("position.exits.holding_ms", 45, "write 2700000 for 45 min"),
        ("executor.sizing.capital", -5, "-5 means -₹5; an amount in rupees from ₹1,000 to"),
        ("executor.sizing.capital", "10,00,000", 'write "1000000" for ₹10,00,000'),
        ("executor.sizing.capital", "5 lakh", 'write "500000" for ₹5,00,000'),
        ("executor.levels.stop", "30", '30 means 3000 %; a fraction is wanted: write "0.3"'),
        ("executor.levels.stop", 1, '1 means 100 %; a fraction is wanted: write "0.01"'),
        ("executor.levels.reward", 0, "0 means 0 times; a number of times from 0.1 to 100"),
        ("executor.limits.positions", 0, "0 is too small; a number of positions from 1 to"),
        ("executor.limits.lots_a_trade", 2.5, "2.5 is no whole number; a number of lots"),
        ("executor.limits.daily_loss", "-0.05", 'write "0.05" for 5 %'),
        ("executor.limits.daily_loss", "0.01", "0.01 is less than one trade may risk, 0.02"),
        ("executor.limits.capital_at_risk", "0.01", "less than one trade may risk, 0.02"),
        ("executor.limits.positions_per_underlying", 4, "4 is more than positions, 3"),
        ("executor.orders.entry_timeout_ms", 60, "60 means 60 ms; a number of milliseconds is "),
        ("executor.orders.entry_timeout_ms", 60, "write 60000 for 1 min"),
        ("executor.orders.entry_timeout_ms", "90 s", "write 90000 for 1 min 30 s"),
        ("executor.orders.exit_retry_ms", 20_000, "20000 is more than exit_timeout_ms, 15000"),
        ("executor.orders.product", "nrml", "'nrml' is not known; did you mean 'NRML'?"),
        ("executor.chain.expiry", "week", "did you mean 'weekly'? Known: weekly, monthly"),
        ("executor.chain.rate", 6.5, "6.5 means 650 %; a fraction is wanted: write 0.065"),
        ("executor.mode", "papper", "did you mean 'paper'?"),
        ("executor.venue", "simulater", "did you mean 'simulator'?"),
        ("executor.entry.max_age_seconds", 600_000, "write 600 for 10 min"),
        ("executor.entry.last_entry", "3:00", 'write "15:00"'),
        ("executor.entry.last_entry", "03:00", "03:00 is outside the session; a time in India"),
        ("executor.entry.last_entry", 1500, "1500 is no time; a time in India from 09:15"),
        ("executor.entry.last_entry", "15:00+05:30", "names a zone"),
        ("executor.entry.last_entry", "15:20", "15:20 is never reached: before_close_ms, 30 min"),
        ("executor.entry.last_entry", "15:20", 'write "15:10", or less for before_close_ms'),
        ("position.exits.square_off", "15:30", "15:30 is never reached: before_close_ms, 15 min"),
        ("position.exits.trailing_stop.fall", "10", 'write "0.1" for 10 %'),
        ("position.mark_every_ms", 60, "write 60000 for 1 min"),
        ("signal.filters.min_confidence", 60, "60 means 6000 %; a fraction is wanted: write 0.6"),
        ("signal.filters.signals_a_day", 0, "0 is too small; a number of signals from 1 to"),
        ("candle.rules.grace_ms", 300_000, "300000 must be less than revision_ms, 300000"),
        ("ingest.speed", 0, "0 means 0 times"),
        ("ingest.source", "kit", "did you mean 'kite'?"),
        ("kite.timeout_seconds", 5000, "5000 means 1 h 23 min 20 s; a number of seconds is wanted"),
        ("simulator.start", "9:20", 'write "09:20"'),
    ],
)
def test_a_wrong_value_says_what_was_probably_meant(key: str, value: object, said: str) -> None:
    line = refusal(key, value)
    assert line.startswith(f"{key}: "), line
    assert said in line


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("executor.entry.underlyings", ["NIFTI"], "'NIFTI'; did you mean 'NIFTY'?"),
        ("ingest.universe.underlyings", ["NIFTY 50"], "write 'NSE:NIFTY 50'"),
        ("ingest.universe.underlyings", ["NES:SBIN"], "did you mean 'NSE'?"),
        ("ingest.universe.underlyings", ["NSE:SBIN", "NSE:SBIN"], "'NSE:SBIN' is named twice"),
        ("ingest.universe.underlyings", [], "none is named"),
        ("ingest.history.intervals", ["5min"], "did you mean '5m'?"),
        ("signal.filters.excluded", ["NIFTI"], "'NIFTI'; did you mean 'NIFTY'?"),
        ("candle.segments", ["NFO_FUT"], "did you mean 'NFO-FUT'?"),
    ],
)
def test_an_unknown_name_in_a_list_is_named_with_the_nearest_known_one(
    key: str, value: list[str], said: str
) -> None:
    line = refusal(key, value)
    assert line.startswith(key), line
    assert said in line


def test_weights_that_are_all_zero_are_refused() -> None:
    zero = dict.fromkeys(("distance", "delta", "volatility", "liquidity", "spread"), 0)
    assert "all weights are 0" in refusal("executor.weights", zero)
    LocalSettings(**nested("executor.weights", {**zero, "delta": 1}))


def test_an_order_is_in_doubt_for_longer_than_its_request_may_take() -> None:
    values = nested("executor.orders.doubt_ms", 5000)
    LocalSettings(**values)
    values["executor"]["venue"] = "simulator"
    with pytest.raises(ValidationError, match="write more than 7000"):
        LocalSettings(**values)


def test_no_expected_move_at_all_may_be_asked_for() -> None:
    assert LocalSettings(**nested("executor.entry.min_expected_move", 0)).executor.policy()


@pytest.mark.parametrize(
    "key", ["executor.entry.before_close_ms", "position.exits.before_close_ms"]
)
def test_an_earlier_end_of_every_day_needs_no_change_of_the_default_times(key: str) -> None:
    assert LocalSettings(**nested(key, 2_700_000))


def test_a_time_that_is_never_reached_is_refused_with_both_keys_and_a_value() -> None:
    entry = {"last_entry": "14:57", "before_close_ms": 2_700_000}
    assert refusal("executor.entry", entry) == (
        "executor.entry.last_entry: 14:57 is never reached: before_close_ms, 45 min, comes first; "
        'no session closes after 15:40: write "14:55", or less for before_close_ms'
    )
    LocalSettings(**nested("executor.entry", {**entry, "last_entry": "14:55"}))


@pytest.mark.parametrize("doubt_ms", [0, 5000])
def test_a_doubt_is_compared_with_a_request_also_where_the_command_chooses_the_venue(
    doubt_ms: int,
) -> None:
    short = LocalSettings(**nested("executor.orders.doubt_ms", doubt_ms))
    with pytest.raises(SettingsError, match=f"^executor.orders.doubt_ms: {doubt_ms} ends before"):
        short.for_demo()
    short.in_paper()
    LocalSettings(**nested("executor.orders.doubt_ms", 7001)).for_demo()


def test_a_settings_file_is_refused_in_one_line_with_its_name(tmp_path: Path) -> None:
    file = tmp_path / "alphastocks.toml"
    file.write_text('[executor]\nsizing = { risk = "2" }\n')
    with pytest.raises(SettingsError) as refused:
        load_settings(LocalSettings, file)
    said = '2 means 200 %; a fraction is wanted: write "0.02" for 2 %'
    assert str(refused.value) == f"{file}: executor.sizing.risk: {said}"
