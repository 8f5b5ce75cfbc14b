"""The control endpoints of live trading: mode, arm and disarm."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends

from libs.events.control import ChangeableMode, ControlUsed, ModeChanged
from libs.events.orders import Mode
from libs.runtime.access import AccessToken
from services.executor.arming_desk import ArmingDesk
from services.executor.command_queue import Admitted, CommandQueue, published, refused, started
from services.executor.domain.executor import OptionsExecutor
from services.executor.domain.live.asking import Asked
from services.executor.domain.overview import Overview
from services.executor.replies import Answer, ArmAsked, ModeAsked, Reasoned


def add_live(
    router: APIRouter,
    admitted: Admitted,
    commands: CommandQueue,
    now: Callable[[], Overview],
    arming: ArmingDesk,
) -> None:
    """Add the endpoints to those of the executor."""

    @router.post("/mode")
    async def change_mode(
        asked: ModeAsked, token: Annotated[AccessToken, Depends(admitted("mode", "trade"))]
    ) -> Answer:
        """Decide later signals in another mode; open positions are closed as before."""
        await started(commands)
        if (why := _unfit_mode(asked.mode, arming.executor)) is not None:
            await refused(commands, "mode", token, why)
        use = commands.used("mode", token.name, "done", asked.reason)
        changed = _mode_changed(asked.mode, now().settings_mode, use)
        await published(commands, lambda: [use, changed])
        return Answer(action="mode")

    @router.post("/arm")
    async def arm(
        asked: ArmAsked, token: Annotated[AccessToken, Depends(admitted("arm", "trade"))]
    ) -> Answer:
        """Let live entries be sent until a time of today; exits need no arming."""
        await started(commands)
        wanted = Asked(asked.until, asked.trades, asked.lots_a_trade, asked.sentence, asked.reason)
        if why := await arming.refusal(wanted):
            await refused(commands, "arm", token, why)
        use = commands.used("arm", token.name, "done", asked.reason)
        await published(commands, lambda: arming.armed(wanted, use))
        return Answer(action="arm")

    @router.post("/disarm")
    async def disarm(
        asked: Reasoned, token: Annotated[AccessToken, Depends(admitted("disarm", "operate"))]
    ) -> Answer:
        """Send no live entry any more, and cancel those that work; exits go on."""
        await started(commands)
        use = commands.used("disarm", token.name, "done", asked.reason)
        await published(commands, lambda: arming.disarmed(use))
        return Answer(action="disarm")


def _unfit_mode(mode: ChangeableMode, executor: OptionsExecutor) -> str | None:
    """Return why the executor cannot be in a mode, None if it can."""
    if mode == "live" and executor.settings_mode != "live":
        return f"the settings say {executor.settings_mode}: live is set there alone"
    if mode == "paper" and executor.footing.venue == "real":
        return "paper orders must not go to a real account: logging_only, or other settings"
    return None


def _mode_changed(mode: ChangeableMode, settings_mode: Mode, use: ControlUsed) -> ModeChanged:
    return ModeChanged(
        **ModeChanged.after(use, use.event_id),
        reason=f"changed by {use.token}" + (f": {use.reason}" if use.reason else ""),
        mode=mode,
        settings_mode=settings_mode,
    )
