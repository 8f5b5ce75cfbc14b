"""Examines the running executor: asks what has to be asked, and makes the lines of `doctor`."""

import asyncio
import shutil
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from http.client import HTTPException
from pathlib import Path

from libs.broker.errors import SessionError
from libs.broker.port import Margin, Session
from libs.broker.port.venue import Venue
from libs.errors import AlphaStocksError
from libs.events.event import utc_from_ms
from libs.market.calendar import day_in_india
from libs.market.facts import Fact, values_of
from libs.runtime.logs import logger_of
from libs.runtime.service import Parts
from libs.runtime.subscription import Emit
from libs.store.store import Store
from services.executor.domain.doctor.addresses import MOST_BYTES, address_in
from services.executor.domain.doctor.finding import Finding
from services.executor.domain.doctor.lines import Facts, Seen, examine
from services.executor.domain.doctor.schedule import Schedule
from services.executor.domain.entering import SEGMENT
from services.executor.domain.executor import OptionsExecutor
from services.executor.domain.live.asking import last_close
from services.executor.settings import LiveSettings

START_SECONDS = 30.0
"""So long after a start account and feed have been read: before, there would be nothing to see."""
LOOK_SECONDS = 1.0
"""How often the clock is looked at for the time of the examination."""
ASK_SECONDS = 5.0
_GROUP = "executor"
_SPAN_MS = 2000
"""A rate whose span is shorter is one by the second."""
_DISKS = """
SELECT toUInt64((SELECT min(free_space) FROM system.disks)) AS free,
       toUInt8((SELECT value FROM system.settings WHERE name = 'readonly') != '0') AS read_only
"""


@dataclass(slots=True)
class Examination:
    """What is asked for the lines, and the latest ones; `failures` counts failed examinations."""

    executor: OptionsExecutor
    venue: Venue
    parts: Parts
    settings: LiveSettings
    latest: tuple[Finding, ...] = ()
    failures: int = 0
    _schedule: Schedule = field(init=False)
    _facts: tuple[date, tuple[Fact, ...]] | None = None

    def __post_init__(self) -> None:
        self._schedule = Schedule(self.settings.doctor_at)

    async def findings(self) -> tuple[Finding, ...]:
        """Ask, and return all lines; the metrics show them until the next time."""
        seen = await self._seen()
        self.latest = examine(self._known(seen))
        return self.latest

    async def run(self, _: Emit) -> None:
        """Examine each trading day at the time of the settings, until cancelled."""
        await asyncio.sleep(START_SECONDS)
        while True:
            now_ms = self.parts.clock.now_ms()
            if self._schedule.is_due(now_ms, self.executor.market.calendar):
                await self._examine()
            await asyncio.sleep(LOOK_SECONDS)

    async def _examine(self) -> None:
        failed = [one for one in await self.findings() if one.state == "failed"]
        log = logger_of(_GROUP)
        for one in failed:
            log.error("doctor: live is not armed until this is mended", reason=one.line)
        if not failed:
            log.info("doctor: every line is well", lines=len(self.latest))
        self.failures += bool(failed)

    async def _seen(self) -> Seen:
        folder = existing(Path("var"))
        database = await database_seen(self.parts.store)
        address, address_error = await self._address()
        return Seen(
            disk_bytes=shutil.disk_usage(folder).free,
            bus_error=await _error_of_bus(self.parts),
            free_bytes=database[0],
            database_error=database[1],
            is_read_only=database[2],
            address=address,
            address_error=address_error,
        )

    async def _address(self) -> tuple[str, str]:
        """Return from where requests leave, and why that is not known."""
        url = self.settings.echo_url
        if not url:
            return "", ""
        try:
            async with asyncio.timeout(2 * ASK_SECONDS):  # of the socket: it is of each read
                return await asyncio.to_thread(_echoed, url), ""
        except (OSError, ValueError, HTTPException) as error:
            return "", f"{url} does not reply with an address: {error}"

    def _known(self, seen: Seen) -> Facts:
        executor, now_ms = self.executor, self.parts.clock.now_ms()
        market, watch, day = executor.market, executor.truth.watch, day_in_india(now_ms)
        session, session_error = self._session()
        return Facts(
            now=utc_from_ms(now_ms),
            footing=executor.footing,
            seen=seen,
            folder=existing(Path("var")),
            calendar=market.calendar,
            facts=self._facts_of(day),
            session=session,
            session_error=session_error,
            closes=self._closes(day),
            user_id=self.settings.user_id,
            registered=self.settings.addresses,
            held=[entry.contract.expiry for entry in executor.blotter.held()],
            listed_on=market.day,
            offset_ms=executor.clock_off_ms(),
            tick_age_ms=now_ms - executor.ticked_ms if executor.ticked_ms else None,
            is_open=any(market.is_open(name, now_ms) for name in ("NFO", "BFO")),
            is_silent=bool(executor.silent_since_ms),
            lag=self._lag(),
            clean_age_ms=watch.reconciler.age_ms(now_ms),
            pace=watch.pace,
            capital=executor.policy.sizing.capital,
            funds=self._funds(watch.reconciler.margins),
            quarantines=executor.risk.quarantined,
            orders_a_second=self._orders_a_second(),
        )

    def _session(self) -> tuple[Session | None, str]:
        try:
            return self.venue.session(), ""
        except SessionError as error:
            return None, str(error)

    def _closes(self, day: date) -> datetime | None:
        """Return the close that the session must outlast; a simulated day has other times."""
        if self.executor.footing.clock != "wall":
            return None
        return last_close(self.executor.market.calendar, day)

    def _facts_of(self, day: date) -> tuple[Fact, ...]:
        if self._facts is None or self._facts[0] != day:
            self._facts = day, values_of(day, self.executor.rulebook)
        return self._facts[1]

    def _lag(self) -> int:
        """Return the lag of the executor's own group, as it was measured last."""
        samples = [
            one for all_of in self.parts.metrics.consumer_lag.collect() for one in all_of.samples
        ]
        return int(sum(one.value for one in samples if one.labels.get("group") == _GROUP))

    @staticmethod
    def _funds(margins: Mapping[str, Margin]) -> Margin | None:
        return margins.get(SEGMENT)

    def _orders_a_second(self) -> int | None:
        spans = [left for span, left in self.venue.budget().items() if span <= _SPAN_MS]
        return max(spans, default=None)


def existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there."""
    return next(one for one in (folder.absolute(), *folder.absolute().parents) if one.is_dir())


def _echoed(url: str) -> str:
    with urllib.request.urlopen(url, timeout=ASK_SECONDS) as reply:  # noqa: S310  https, by `echo_address`
        return address_in(reply.read(MOST_BYTES).decode("ascii", "replace"))


async def _error_of_bus(parts: Parts) -> str:
    try:
        async with asyncio.timeout(ASK_SECONDS):
            await parts.bus.ping()
    except TimeoutError:
        return f"no answer within {ASK_SECONDS:g} s"
    except AlphaStocksError as error:
        return str(error)
    return ""


async def database_seen(store: Store | None) -> tuple[int | None, str, bool]:
    """Return free bytes (None: no database), why there is no answer, and if it is read-only."""
    if store is None:
        return None, "", False
    try:
        async with asyncio.timeout(ASK_SECONDS):
            found = await store.query(_DISKS)
    except TimeoutError:
        return 0, f"no answer within {ASK_SECONDS:g} s", False
    except AlphaStocksError as error:
        return 0, str(error), False
    return int(found["free"][0]), "", bool(found["read_only"][0])
