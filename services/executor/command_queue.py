"""Commands of the control endpoints: who may give them, and that they are published in turn."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from libs.events.control import Action, ControlUsed, Outcome
from libs.events.event import Event, utc_from_ms
from libs.market.calendar import IST
from libs.runtime.access import Access, AccessToken, Denied, Scope
from libs.runtime.clock import Clock, monotonic_ms
from libs.runtime.logs import logger_of
from libs.runtime.retry import is_retriable, retrying
from libs.runtime.subscription import Emit

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


RESPONSES: dict[int | str, dict[str, Any]] = {
    401: {"description": "no such token"},
    403: {"description": "beyond the token's scope"},
    409: {"description": "refused as things are; says why"},
    429: {"description": "too often"},
    503: {
        "description": "starting, or not acknowledged in time: the command may have taken effect"
    },
}


Admitted = Callable[[Action, Scope], Callable[..., Any]]


def admission(access: Access, commands: CommandQueue) -> Admitted:
    """Return what makes the dependency that admits a token for an action."""

    def admitted(action: Action, scope: Scope) -> Callable[..., Any]:
        async def admit(
            request: Request,
            credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
        ) -> AccessToken:
            presented = credentials.credentials if credentials else ""
            return await _admitted(access, commands, action, scope, presented, request)

        return admit

    return admitted


async def _admitted(
    access: Access,
    commands: CommandQueue,
    action: Action,
    scope: Scope,
    presented: str,
    request: Request,
) -> AccessToken:
    try:
        is_urgent = action in ("halt", "exit", "disarm")
        return access.admit(presented, scope, monotonic_ms(), is_urgent=is_urgent)
    except Denied as denied:
        host = request.client.host if request.client else ""
        logger_of("executor").warning(
            "control refused", action=action, token=denied.name, host=host, reason=str(denied)
        )
        if denied.name and denied.status == 403:
            use = commands.used(action, denied.name, "refused", str(denied))
            await published(commands, lambda: [use])
        raise HTTPException(denied.status, str(denied)) from None


async def refused(commands: CommandQueue, action: Action, token: AccessToken, why: str) -> None:
    """Record what is refused although the token is good for it, and say why."""
    use = commands.used(action, token.name, "refused", why)
    await published(commands, lambda: [use])
    raise HTTPException(409, why)


async def published(commands: CommandQueue, make_events: MakeEvents) -> None:
    """Return when events are published; HTTPException 503 if that is not known in time."""
    try:
        await commands.done(make_events)
    except TimeoutError:
        raise HTTPException(
            503, "the bus has not answered in time: it is not known whether this was done"
        ) from None


async def noted(commands: CommandQueue, use: ControlUsed) -> None:
    """Record a request that only reads; an outage of the bus does not keep it from an answer."""
    try:
        await commands.done(lambda: [use], NOTE_SECONDS)
    except TimeoutError:
        logger_of("executor").warning("a request is not on record", action=use.action)


async def started(commands: CommandQueue) -> None:
    """Return when the executor has read its state; HTTPException 503 if that takes too long."""
    try:
        await commands.ready()
    except TimeoutError:
        raise HTTPException(503, "the executor is starting: it has not read its state") from None
