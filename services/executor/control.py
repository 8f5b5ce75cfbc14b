"""The control endpoints of the executor: state, halt, resume, mode and exit.

Each request is recorded as an event on `control` with the name of its token. A command is
published and acknowledged before the response. The executor consumes it from its topic, and
restores it after a restart, so a halt lasts until trading is resumed.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from libs.events.control import (
    Action,
    ChangeableMode,
    ControlUsed,
    ModeChanged,
    Outcome,
    TradingHalted,
    TradingResumed,
)
from libs.events.event import Event, utc_from_ms
from libs.events.orders import Mode, OrderPlanned
from libs.events.positions import ExitRequested
from libs.market.calendar import IST
from libs.runtime.access import Access, AccessToken, Denied, Scope
from libs.runtime.clock import Clock, monotonic_ms
from libs.runtime.logs import logger_of
from libs.runtime.retry import is_retriable, retrying
from libs.runtime.subscription import Emit
from services.executor.domain.overview import Overview
from services.executor.domain.reconciliation import ReconciliationView
from services.executor.reconciliation_reply import Reconciliation, reconciliation_of
from services.executor.replies import Answer, Asked, HaltAsked, ModeAsked, State, state_of

MakeEvents = Callable[[], Sequence[Event]]
Publish = Callable[[MakeEvents, Emit], Awaitable[None]]
TIMEOUT_SECONDS = 15.0
NOTE_SECONDS = 2.0
_NONCE_BYTES = 8
_BEARER = HTTPBearer(auto_error=False, description="a token of [executor] control")


@dataclass(slots=True)
class _Pending:
    """What makes the events to be published, and a future that is done when they are."""

    make_events: MakeEvents
    done: "asyncio.Future[None]"


@dataclass(slots=True)
class CommandQueue:
    """Queues the endpoints' commands and publishes them between the executor's messages."""

    publish: Publish
    clock: Clock
    _waiting: "asyncio.Queue[_Pending]" = field(default_factory=asyncio.Queue)
    _running: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, emit: Emit) -> None:
        """Publish queued commands, until cancelled."""
        self._running.set()
        while True:
            pending = await self._waiting.get()
            if not pending.done.done():  # whoever asked has given up
                await self._publish(pending, emit)

    async def _publish(self, pending: _Pending, emit: Emit) -> None:
        """Publish; retry during an outage of the bus as long as somebody waits for it."""

        def report(error: Exception) -> None:
            logger_of("executor").warning("a command waits to be published", reason=str(error))

        try:
            await retrying(
                lambda: self.publish(pending.make_events, emit), report, pending.done.done
            )
        except Exception as error:
            if not (is_retriable(error) and pending.done.done()):
                raise
            logger_of("executor").error("a command was given up", reason=str(error))
        if not pending.done.done():
            pending.done.set_result(None)

    async def ready(self) -> None:
        """Return when the executor has restored its state; TimeoutError if that takes too long."""
        await asyncio.wait_for(self._running.wait(), TIMEOUT_SECONDS)

    async def done(self, make_events: MakeEvents, seconds: float | None = None) -> None:
        """Return when events are acknowledged; TimeoutError if that takes too long.

        They are made in the moment of publishing, when no signal can come in between.
        """
        pending = _Pending(make_events, asyncio.get_running_loop().create_future())
        await self._waiting.put(pending)
        await asyncio.wait_for(pending.done, seconds or TIMEOUT_SECONDS)

    def used(self, action: Action, token: str, outcome: Outcome, reason: str) -> ControlUsed:
        """Return the event that records a request."""
        at, nonce = utc_from_ms(self.clock.now_ms()), secrets.token_hex(_NONCE_BYTES)
        day = at.astimezone(IST).date()
        return ControlUsed(
            **ControlUsed.without_cause(action, token, nonce, occurred_at=at, trading_day=day),
            reason=reason,
            action=action,
            token=token,
            outcome=outcome,
        )


def control_router(
    access: Access,
    commands: CommandQueue,
    now: Callable[[], Overview],
    reconciled: Callable[[], ReconciliationView],
) -> APIRouter:
    """Return the endpoints."""
    router = APIRouter(prefix="/control", tags=["control"], responses=_RESPONSES)

    def admitted(action: Action, scope: Scope) -> Callable[..., Any]:
        async def admit(
            request: Request,
            credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
        ) -> AccessToken:
            presented = credentials.credentials if credentials else ""
            return await _admitted(access, commands, action, scope, presented, request)

        return admit

    @router.get("/state")
    async def show(token: Annotated[AccessToken, Depends(admitted("state", "read"))]) -> State:
        """Return mode, halt, open positions, results of the day and used limits."""
        await _started(commands)
        await _noted(commands, commands.used("state", token.name, "done", ""))
        return state_of(now())

    @router.get("/reconciliation")
    async def reconciliation(
        token: Annotated[AccessToken, Depends(admitted("state", "read"))],
    ) -> Reconciliation:
        """Return what the last comparison of our books with the broker's account has found."""
        await _started(commands)
        use = commands.used("state", token.name, "done", "reconciliation")
        await _noted(commands, use)
        return reconciliation_of(reconciled())

    @router.post("/halt")
    async def halt(
        asked: HaltAsked, token: Annotated[AccessToken, Depends(admitted("halt", "operate"))]
    ) -> Answer:
        """Open no new position until trading is resumed, and cancel entries that work.

        Exits continue; with `square_off` every open position is closed too.
        """
        if asked.square_off:
            await _started(commands)
        use = commands.used("halt", token.name, "done", asked.reason)
        reason = f"halted by {token.name}" + (f": {asked.reason}" if asked.reason else "")
        halted = _control(TradingHalted, use, reason)
        leaving = _Leaving(now, use, is_meant=asked.square_off)
        await _published(commands, lambda: [use, halted, *leaving.exits()])
        return Answer(action="halt", positions=leaving.positions)

    @router.post("/resume")
    async def resume(
        asked: Asked, token: Annotated[AccessToken, Depends(admitted("resume", "operate"))]
    ) -> Answer:
        """Allow new positions again."""
        use = commands.used("resume", token.name, "done", asked.reason)
        reason = f"resumed by {token.name}" + (f": {asked.reason}" if asked.reason else "")
        resumed = _control(TradingResumed, use, reason)
        await _published(commands, lambda: [use, resumed])
        return Answer(action="resume")

    @router.post("/mode")
    async def change_mode(
        asked: ModeAsked, token: Annotated[AccessToken, Depends(admitted("mode", "trade"))]
    ) -> Answer:
        """Decide later signals in another mode; open positions are closed as before."""
        await _started(commands)
        use = commands.used("mode", token.name, "done", asked.reason)
        changed = _mode_changed(asked.mode, now().settings_mode, use)
        await _published(commands, lambda: [use, changed])
        return Answer(action="mode")

    @router.post("/exit")
    async def leave(
        asked: Asked, token: Annotated[AccessToken, Depends(admitted("exit", "operate"))]
    ) -> Answer:
        """Close every open position, and cancel entries under way; halt first."""
        await _started(commands)
        use = commands.used("exit", token.name, "done", asked.reason)
        leaving = _Leaving(now, use)
        await _published(commands, lambda: [use, *leaving.exits()])
        return Answer(action="exit", positions=leaving.positions)

    return router


_RESPONSES: dict[int | str, dict[str, Any]] = {
    401: {"description": "no such token"},
    403: {"description": "beyond the token's scope"},
    429: {"description": "too often"},
    503: {
        "description": "starting, or not acknowledged in time: the command may have taken effect"
    },
}


async def _admitted(
    access: Access,
    commands: CommandQueue,
    action: Action,
    scope: Scope,
    presented: str,
    request: Request,
) -> AccessToken:
    try:
        is_urgent = action in ("halt", "exit")
        return access.admit(presented, scope, monotonic_ms(), is_urgent=is_urgent)
    except Denied as denied:
        host = request.client.host if request.client else ""
        logger_of("executor").warning(
            "control refused", action=action, token=denied.name, host=host, reason=str(denied)
        )
        if denied.name and denied.status == 403:
            use = commands.used(action, denied.name, "refused", str(denied))
            await _published(commands, lambda: [use])
        raise HTTPException(denied.status, str(denied)) from None


async def _published(commands: CommandQueue, make_events: MakeEvents) -> None:
    try:
        await commands.done(make_events)
    except TimeoutError:
        raise HTTPException(
            503, "the bus has not answered in time: it is not known whether this was done"
        ) from None


async def _noted(commands: CommandQueue, use: ControlUsed) -> None:
    """Record a request that only reads; an outage of the bus does not keep it from an answer."""
    try:
        await commands.done(lambda: [use], NOTE_SECONDS)
    except TimeoutError:
        logger_of("executor").warning("a request is not on record", action=use.action)


async def _started(commands: CommandQueue) -> None:
    try:
        await commands.ready()
    except TimeoutError:
        raise HTTPException(503, "the executor is starting: it has not read its state") from None


def _control(
    kind: type[TradingHalted | TradingResumed], use: ControlUsed, reason: str
) -> TradingHalted | TradingResumed:
    return kind(**kind.after(use, use.event_id), reason=reason)


def _mode_changed(mode: ChangeableMode, settings_mode: Mode, use: ControlUsed) -> ModeChanged:
    return ModeChanged(
        **ModeChanged.after(use, use.event_id),
        reason=f"changed by {use.token}" + (f": {use.reason}" if use.reason else ""),
        mode=mode,
        settings_mode=settings_mode,
    )


@dataclass(slots=True)
class _Leaving:
    """Makes the exits of all positions that are open, or may open, in the moment of publishing."""

    now: Callable[[], Overview]
    use: ControlUsed
    is_meant: bool = True
    positions: int = 0

    def exits(self) -> list[ExitRequested]:
        """Return an exit of each position, and count them."""
        exits = list(_exits(self.now().to_close, self.use)) if self.is_meant else []
        self.positions = len(exits)
        return exits


def _exits(held: Sequence[OrderPlanned], use: ControlUsed) -> Iterator[ExitRequested]:
    for plan in held:
        envelope = ExitRequested.after(
            use, plan.position_id, "control", correlation_id=plan.correlation_id
        )
        yield ExitRequested(
            **envelope,
            position_id=plan.position_id,
            signal_id=plan.signal_id,
            reason="manual",
        )
