"""The control endpoints of the executor: state, halt, resume, arm, disarm, mode and exit.

Each request is recorded as an event on `control` with the name of its token. A command is
published and acknowledged before the response. The executor consumes it from its topic, and
restores it after a restart, so a halt lasts until trading is resumed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends

from libs.events.control import (
    ControlUsed,
    TradingHalted,
    TradingResumed,
)
from libs.events.orders import OrderPlanned
from libs.events.positions import ExitRequested
from libs.runtime.access import Access, AccessToken
from services.executor.arming_desk import ArmingDesk
from services.executor.command_queue import (
    RESPONSES,
    CommandQueue,
    admission,
    noted,
    published,
    started,
)
from services.executor.domain.overview import Overview
from services.executor.domain.reconciliation import ReconciliationView
from services.executor.examination import Examination
from services.executor.live_control import add_live
from services.executor.reconciliation_reply import Reconciliation, reconciliation_of
from services.executor.replies import (
    Answer,
    Examined,
    HaltAsked,
    Reasoned,
    State,
    examined,
    state_of,
)


def control_router(
    access: Access,
    commands: CommandQueue,
    now: Callable[[], Overview],
    reconciled: Callable[[], ReconciliationView],
    arming: ArmingDesk,
    examination: Examination,
    stand_down: Callable[[float], None],
) -> APIRouter:
    """Return the endpoints; `stand_down` holds all orders back for so many seconds."""
    router = APIRouter(prefix="/control", tags=["control"], responses=RESPONSES)
    admitted = admission(access, commands)

    @router.get("/state")
    async def show(token: Annotated[AccessToken, Depends(admitted("state", "read"))]) -> State:
        """Return mode, halt, open positions, results of the day and used limits."""
        await started(commands)
        await noted(commands, commands.used("state", token.name, "done", ""))
        return state_of(now())

    @router.get("/reconciliation")
    async def reconciliation(
        token: Annotated[AccessToken, Depends(admitted("state", "read"))],
    ) -> Reconciliation:
        """Return what the last comparison of our books with the broker's account has found."""
        await started(commands)
        use = commands.used("state", token.name, "done", "reconciliation")
        await noted(commands, use)
        return reconciliation_of(reconciled())

    @router.get("/doctor")
    async def doctor(
        token: Annotated[AccessToken, Depends(admitted("state", "read"))],
    ) -> Examined:
        """Examine the executor and its account: each line, and whether all are well."""
        await started(commands)
        await noted(commands, commands.used("state", token.name, "done", "doctor"))
        return examined(await examination.findings())

    @router.post("/halt")
    async def halt(
        asked: HaltAsked, token: Annotated[AccessToken, Depends(admitted("halt", "operate"))]
    ) -> Answer:
        """Open no new position until trading is resumed, and cancel entries that work.

        Exits continue; with `square_off` every open position is closed too. While it stands down
        nothing is sent, exits neither.
        """
        stand_down(asked.stand_down_seconds)
        if asked.square_off:
            await started(commands)
        use = commands.used("halt", token.name, "done", asked.reason)
        reason = f"halted by {token.name}" + (f": {asked.reason}" if asked.reason else "")
        halted = _control(TradingHalted, use, reason)
        leaving = _Leaving(now, use, is_meant=asked.square_off)
        await published(commands, lambda: [use, halted, *leaving.exits()])
        return Answer(action="halt", positions=leaving.positions)

    @router.post("/resume")
    async def resume(
        asked: Reasoned, token: Annotated[AccessToken, Depends(admitted("resume", "operate"))]
    ) -> Answer:
        """Allow new positions again."""
        use = commands.used("resume", token.name, "done", asked.reason)
        reason = f"resumed by {token.name}" + (f": {asked.reason}" if asked.reason else "")
        resumed = _control(TradingResumed, use, reason)
        await published(commands, lambda: [use, resumed])
        return Answer(action="resume")

    add_live(router, admitted, commands, now, arming)

    @router.post("/exit")
    async def leave(
        asked: Reasoned, token: Annotated[AccessToken, Depends(admitted("exit", "operate"))]
    ) -> Answer:
        """Close every open position, and cancel entries under way; halt first."""
        await started(commands)
        use = commands.used("exit", token.name, "done", asked.reason)
        leaving = _Leaving(now, use)
        await published(commands, lambda: [use, *leaving.exits()])
        return Answer(action="exit", positions=leaving.positions)

    return router


def _control(
    kind: type[TradingHalted | TradingResumed], use: ControlUsed, reason: str
) -> TradingHalted | TradingResumed:
    return kind(**kind.after(use, use.event_id), reason=reason)


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
