"""The executor service: signals and exit requests in, decisions and orders out."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import nan
from pathlib import Path
from typing import get_args

from libs.broker.port import Venue
from libs.events.orders import Mode
from libs.events.stamps import oldest, scaled
from libs.market.calendar import day_in_india, load_calendar
from libs.market.rulebook import load_rulebook
from libs.runtime.access import Access
from libs.runtime.clock import kind_of
from libs.runtime.logs import logger_of
from libs.runtime.metrics import TradingMetrics
from libs.runtime.retry import retrying
from libs.runtime.service import Parts, Service
from libs.runtime.settings import SettingsError
from libs.runtime.subscription import Emit, Every, Subscription
from services.executor.arming_desk import ArmingDesk
from services.executor.command_queue import CommandQueue
from services.executor.control import control_router
from services.executor.domain import rows
from services.executor.domain.executor import OptionsExecutor
from services.executor.domain.live.arming import Arming
from services.executor.domain.live.outcome import BusKind, Footing, start_refusal
from services.executor.domain.option_market import OptionMarket
from services.executor.domain.overview import Overview, overview
from services.executor.domain.reconciliation import ReconciliationView, view_of
from services.executor.domain.risk import RiskBook
from services.executor.domain.stakes import stakes_of
from services.executor.examination import Examination
from services.executor.handler import ExecutorHandler
from services.executor.settings import AGED_HOPS, ExecutorSettings
from services.executor.standing_down import StandDown
from services.executor.venue import has_session, venue_kind

_CONTROLLED = (
    "Control: alphastocks state, halt, resume, exit and mode use the endpoints under /control, "
    "with a token."
)
_NOT_CONTROLLED = "Control: none, since [executor] control names no tokens."


TURN_MS = 1000
"""How often timeouts, retries and doubts are looked at, also without a tick."""


@dataclass(frozen=True, slots=True)
class _Watch:
    """Runs a venue beside the inputs and passes its updates to the handler."""

    venue: Venue
    handler: ExecutorHandler

    async def run(self, emit: Emit) -> None:
        """Run until cancelled; an error of the venue or the handler ends the service."""
        tasks = [
            asyncio.create_task(self.venue.run()),
            asyncio.create_task(self._pass_updates(emit)),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _pass_updates(self, emit: Emit) -> None:
        while True:
            await self.handler.stirred()
            stopping = asyncio.Event()
            handling = asyncio.create_task(self._handle(emit, stopping.is_set))
            try:
                await asyncio.shield(handling)
            except asyncio.CancelledError:
                stopping.set()
                await handling  # so that its events are published completely
                raise

    async def _handle(self, emit: Emit, is_stopping: Callable[[], bool]) -> None:
        """Handle updates; retry during an outage of the bus, as the venue gives them only once."""
        await retrying(lambda: self.handler.on_updates(emit), _log_outage, is_stopping)


def _log_outage(error: Exception) -> None:
    logger_of("executor").warning("updates wait to be published", reason=str(error))


def _log_stakes(executor: OptionsExecutor) -> None:
    stakes = stakes_of(executor.policy)
    logger_of("executor").info(
        stakes.line,
        mode=executor.mode,
        capital=float(stakes.capital),
        risk_a_trade=float(stakes.risk_a_trade),
        positions=stakes.positions,
        capital_at_risk=float(stakes.capital_at_risk),
        daily_loss=float(stakes.daily_loss),
    )


def _measure(
    executor: OptionsExecutor, venue: Venue, measured: TradingMetrics, now_ms: int
) -> None:
    risk, working = executor.risk, executor.blotter.working()
    measured.armed.set(executor.arming.current(now_ms) is not None)
    measured.is_halted.set(risk.halted_because is not None)
    for mode in get_args(Mode):
        measured.mode.labels(mode).set(mode == executor.mode)
    measured.working.set(len(working))
    measured.unresolved.set(sum(order.state == "unresolved" for order in working))
    age_ms = executor.truth.watch.reconciler.age_ms(now_ms)
    pace = max(1.0, executor.truth.watch.pace)  # of the machine: so it is read
    measured.reconciliation_age.set(0 if age_ms is None else age_ms / 1000 / pace)
    measured.quarantined.set(len(risk.quarantined))
    measured.margin_pauses.set(executor.margin_pauses.count(now_ms))
    measured.day_loss.set(float(risk.day_loss))
    measured.day_loss_limit.set(float(risk.capital * risk.limits.daily_loss))
    measured.day_limits.set(risk.limits_reached)
    measured.at_risk.set(float(risk.at_risk))
    measured.at_risk_limit.set(float(risk.capital * risk.limits.capital_at_risk))
    for span_ms, left in venue.budget().items():
        measured.budget.labels(span_ms // 1000).set(left)


def _measure_lines(examination: Examination, measured: TradingMetrics) -> None:
    measured.doctor.clear()
    if not examination.latest:
        measured.doctor.labels("not examined yet").set(nan)
    for one in examination.latest:
        measured.doctor.labels(one.check).set(one.state != "failed")
    measured.doctor_failures.set(examination.failures)


def make_service(
    settings: ExecutorSettings,
    parts: Parts,
    venue: Venue,
    *,
    waits: bool = False,
    in_turn: bool = False,
    bus: BusKind = "local",
    flattening: Path | None = None,
) -> Service:
    """Return the service around an OptionsExecutor; SettingsError where it must not start.

    `bus` is that of the settings: a real account is not traded on a local one. With `waits` a start
    without a session waits for a login; else it fails. With `in_turn` the broker is asked in turn,
    so that the outcome does not depend on the machine. `flattening` is the file by which a flatten
    holds orders back.
    """
    footing = Footing(venue_kind(venue), kind_of(parts.clock), bus)
    if line := start_refusal(settings.mode, footing):
        raise SettingsError(line)
    policy = settings.policy()
    if not venue.may_lose_replies:  # an order that is not in the book was never placed
        policy = replace(policy, orders=replace(policy.orders, doubt_ms=0))
    executor = OptionsExecutor(
        mode=settings.mode,
        policy=policy,
        market=OptionMarket(load_calendar(), policy.chain.rate),
        rulebook=load_rulebook(),
        risk=RiskBook(policy.limits, policy.sizing.capital),
        footing=footing,
        has_session=lambda: has_session(venue),
        arming=Arming(parts.member, venue.is_real),
    )
    budgets = {hop: getattr(settings.ages, hop) for hop in AGED_HOPS}
    executor.too_old = lambda now_ms: oldest(
        parts.stamps.of_current(), now_ms, budgets, parts.clock.pace
    )
    executor.ages = lambda now_ms: parts.stamps.of_current().ages(now_ms)
    executor.budgets_ms = lambda: scaled(budgets, parts.clock.pace)
    executor.clock_off_ms = lambda: parts.clock.offset_ms
    executor.truth.watch.pace = executor.guarding.pace = parts.clock.pace
    executor.guarding.is_on = policy.resting_stop.is_on and venue.may_lose_replies
    stand_down = StandDown(flattening)
    waiting = parts.waiting if waits else None
    handler = ExecutorHandler(
        executor, venue, parts.bus, parts.clock, waiting, stand_down, in_turn=in_turn
    )
    inputs = Subscription(
        group="executor",
        topics=(
            "instruments",
            "ticks",
            "signal_generated",
            "exit_requests",
            "positions",
            "control",
        ),
        handler=handler,
        restore_topics=(
            "instruments",
            "decisions",
            "signal_updates",
            "orders",
            "exit_requests",
            "positions",
            "control",
        ),
        finish=handler.finish,
        timed=Every(TURN_MS, handler.on_time),
        is_atomic=True,
        handles_money=True,
    )
    tables = {
        "decisions": (("decisions",), rows.decisions),
        "orders": (("orders",), rows.orders),
        "options_data": (("option_chains",), rows.options_data),
    }

    examination = Examination(executor, venue, parts, settings.live)

    async def objections() -> Sequence[str]:
        return [one.line for one in await examination.findings() if one.state == "failed"]

    async def announce(_: Emit) -> None:
        _log_stakes(executor)

    def describe() -> dict[str, object]:
        warning = executor.market.calendar_warning(day_in_india(parts.clock.now_ms()))
        return {
            "mode": executor.mode,
            "is_busy": handler.is_busy,
            "venue": venue.describe(),
            "warnings": [] if warning is None else [warning],
        }

    def now() -> Overview:
        return overview(executor, parts.clock.now_ms())

    def reconciled() -> ReconciliationView:
        return view_of(executor.truth.watch.reconciler, parts.clock.now_ms())

    def measure() -> None:
        _measure(executor, venue, parts.metrics.trading, parts.clock.now_ms())
        _measure_lines(examination, parts.metrics.trading)

    access = Access(settings.control.tokens, settings.control.per_minute)
    commands = CommandQueue(handler.publish, parts.clock)
    arming = ArmingDesk(executor, parts.clock, objections)
    watch = _Watch(venue, handler).run
    router = control_router(
        access, commands, now, reconciled, arming, examination, stand_down.for_seconds
    )
    return Service(
        name="executor",
        stamps=parts.stamps,
        subscriptions=(inputs, *parts.writers("executor", tables)),
        prepare=announce,
        waiting=parts.waiting,
        background=(
            watch,
            *([commands.run] if access.tokens else []),
            *([examination.run] if settings.mode == "live" else []),
        ),
        close=handler.close,
        describe=describe,
        measure=measure,
        router=router if access.tokens else None,
        private={"control": access} if access.tokens else {},
        note=_CONTROLLED if access.tokens else _NOT_CONTROLLED,
    )
