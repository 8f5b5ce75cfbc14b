"""The machine, the feed, the bus and the database."""

from pathlib import Path

from services.executor.domain.doctor.finding import Finding, failed_or_ok
from services.executor.domain.pretrade.account import CLOCK_OFF_MS

LEAST_FREE_GIB = 2
"""A day of ticks and its tables take less than 1 GiB; merging them needs as much again."""
ENOUGH_FREE_GIB = 10
FEED_WITHIN_MS = 10_000
LAG_AT_MOST = 10_000
"""Messages that the executor has not handled: a few seconds of ticks."""


def disk_finding(folder: Path, free_bytes: int) -> Finding:
    """Check the free space where state is kept."""
    free_gib = free_bytes / 2**30
    reason = f"{free_gib:.1f} GiB free at {folder}"
    if free_gib < LEAST_FREE_GIB:
        return Finding("disk", "failed", reason, f"free at least {LEAST_FREE_GIB} GiB")
    if free_gib < ENOUGH_FREE_GIB:
        action = f"soon: free some; {ENOUGH_FREE_GIB} GiB last for days"
        return Finding("disk", "ok", reason, action)
    return Finding("disk", "ok", reason)


def offset_finding(offset_ms: int) -> Finding:
    """Check how far this machine's clock is ahead of the exchange's."""
    reason = f"{offset_ms / 1000:+.1f} s off the exchange's"
    is_bad = abs(offset_ms) > CLOCK_OFF_MS
    return failed_or_ok("clock", reason, "set the clock, by NTP", is_bad=is_bad)


def feed_finding(
    age_ms: int | None, pace: float = 1.0, *, is_open: bool, is_silent: bool = False
) -> Finding:
    """Check that ticks come while the market is open; `age_ms` is the newest one's."""
    if not is_open:
        return Finding("feed", "ok", "the market is closed: no tick is due")
    newest = "" if age_ms is None else f"the newest tick is {age_ms / 1000:.1f} s old"
    reason = newest or "no tick has come"
    is_bad = is_silent or age_ms is None or age_ms > FEED_WITHIN_MS * max(1.0, pace)
    return failed_or_ok("feed", reason, "look at the log of ingest", is_bad=is_bad)


def bus_finding(kind: str, lag: int, error: str) -> Finding:
    """Check that the bus answers, and that the executor is not behind it."""
    if error:
        return Finding("bus", "failed", f"{kind} does not answer: {error}", "start it")
    action = "give the executor more CPU, or follow fewer instruments; `alphastocks lag`"
    return failed_or_ok("bus", f"{kind}, {lag} messages behind", action, is_bad=lag > LAG_AT_MOST)


def database_finding(free_bytes: int | None, error: str, *, is_read_only: bool = False) -> Finding:
    """Check that the database takes rows; `free_bytes` None: there is no database."""
    if error:
        return Finding("database", "failed", error, "start ClickHouse, or correct [store]")
    if free_bytes is None:
        return Finding("database", "unknown", "none is set: nothing is stored in tables")
    if is_read_only:
        return Finding("database", "failed", "it is read-only", "use a login that may write")
    free_gib = free_bytes / 2**30
    action = f"free at least {LEAST_FREE_GIB} GiB there"
    is_bad = free_gib < LEAST_FREE_GIB
    return failed_or_ok("database", f"{free_gib:.1f} GiB free on its disks", action, is_bad=is_bad)
