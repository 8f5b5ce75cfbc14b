"""Checks of a signal, before its options are compared."""

from datetime import time
from math import inf

from libs.events.event import utc_from_ms
from libs.events.signals import SignalGenerated, staleness
from libs.market.calendar import IST
from libs.market.instruments import underlying_name
from libs.market.time_windows import are_open
from services.executor.domain.policy import EntryFilter, Policy, Refusal


def refuse_signal(
    signal: SignalGenerated, entry: EntryFilter, now_ms: int, closes_ms: int | None = None
) -> Refusal | None:
    """Return the first reason against a signal, or None; `closes_ms` is the close of its day."""
    checks = (
        _refuse_prices(signal),
        _refuse_underlying(signal, entry),
        _refuse_age(signal, entry, now_ms),
        _refuse_late(entry, now_ms, closes_ms),
        _below("confidence", signal.confidence, entry.min_confidence),
        _below("expected_move", signal.expected_move, entry.min_expected_move),
    )
    return next((refusal for refusal in checks if refusal is not None), None)


def refuse_window(signal: SignalGenerated, policy: Policy, now_ms: int) -> Refusal | None:
    """Refuse an entry outside the windows of the strategy, else of its profile, else of all."""
    at, strategy = _time_in_india(now_ms), signal.strategy
    profile = policy.profile_named(policy.profile_name(strategy))
    windows = policy.entry.windows_of.get(strategy) or profile.windows or policy.entry.windows
    if are_open(windows, at):
        return None
    allowed = ", ".join(str(one) for one in windows)
    return Refusal("outside_entry_windows", {"time": f"{at:%H:%M:%S}", "windows": allowed})


def _refuse_underlying(signal: SignalGenerated, entry: EntryFilter) -> Refusal | None:
    allowed = {underlying_name(name) for name in entry.underlyings}
    if not allowed or underlying_name(signal.underlying) in allowed:
        return None
    return Refusal("underlying_not_allowed", {"underlying": signal.underlying})


def _refuse_prices(signal: SignalGenerated) -> Refusal | None:
    """Refuse prices that are none: a signal's own price is the spot where nothing is quoted."""
    prices = {"price": signal.price, "stop_loss": signal.stop_loss, "target": signal.target}
    wrong = {name: value for name, value in prices.items() if not 0 < value < inf}
    return Refusal("impossible_price", {**wrong}) if wrong else None


def _refuse_age(signal: SignalGenerated, entry: EntryFilter, now_ms: int) -> Refusal | None:
    max_age_ms = None if entry.max_age_seconds is None else entry.max_age_seconds * 1000
    stale = staleness(signal, now_ms, max_age_ms)
    return None if stale is None else Refusal("stale", stale)


def _refuse_late(entry: EntryFilter, now_ms: int, closes_ms: int | None) -> Refusal | None:
    now, last = _time_in_india(now_ms), entry.last_entry
    if closes_ms is not None:
        last = min(last, _time_in_india(closes_ms - entry.before_close_ms))
    if now < last:
        return None
    return Refusal("too_late_in_the_day", {"time": str(now), "last_entry": str(last)})


def _time_in_india(at_ms: int) -> time:
    return utc_from_ms(at_ms).astimezone(IST).time()


def _below(name: str, value: float, minimum: float) -> Refusal | None:
    # False for nan too, so nan never passes.
    if value >= minimum:
        return None
    return Refusal(f"low_{name}", {name: value, "minimum": minimum})
